//! A wrong clock for one process.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Shifts the time of day by SECONDS; other clocks, which measure spans, stay right.
const SHIFT: &str = r"
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
	int failed = syscall(SYS_clock_gettime, clock, time);
	if (!failed && clock == CLOCK_REALTIME)
		time->tv_sec += SECONDS;
	return failed;
}
";

/// Lets the command start with a clock that is so many seconds ahead, or behind if negative. What this needs is put into `folder`.
pub fn set(command: &mut Command, seconds: i64, folder: &Path) {
    if seconds != 0 {
        command.env("LD_PRELOAD", library(seconds, folder));
    }
}

/// A library that is loaded before all others, and so answers when a program asks for the time.
fn library(seconds: i64, folder: &Path) -> PathBuf {
    let library = folder.join(format!("clock{seconds}.so"));
    if !library.exists() {
        let source = folder.join("clock.c");
        std::fs::write(&source, SHIFT).expect("the test's folder is writable");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", &format!("-DSECONDS=({seconds})"), "-o"])
            .args([&library, &source])
            .status()
            .expect("a C compiler is there: `scripts/setup` installs it");
        assert!(compiled.success(), "the clock's library does not compile");
    }
    library
}
