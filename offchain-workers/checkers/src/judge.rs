//! A process that checks one answer and ends.
//!
//! Engines are told their limits, but one operation can ask for more memory than there is before anybody counts, and a stack that is used up ends a whole program.
//! So the program starts itself once more for every check that needs an engine, through `sh`, whose `ulimit` takes memory and
//! time away from it. It has no environment and no arguments of the caller's; task and answer come through its standard input, the verdict leaves
//! through its standard output.
//!
//! A program that uses [`Judge::of_this_program`] must begin with
//!
//! ```no_run
//! use touchstone_checkers::judge;
//! # fn main() -> std::process::ExitCode {
//! if judge::is_asked() {
//!     return judge::serve();
//! }
//! # std::process::ExitCode::SUCCESS
//! # }
//! ```

use crate::{
    TaskFault,
    code::{self, Tests},
    extract,
    sql::Tables,
};
use codec::{Decode, Encode};
use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use touchstone_primitives::checkers::{self, Checker, MAX_ANSWER, Verdict, is_sound, needs_panel};

/// First argument of a program that is to check one answer.
pub const ARGUMENT: &str = "check-one-answer";
/// Most bytes of address space of the process, the program itself included.
pub const MAX_MEMORY: u64 = 768 * 1024 * 1024;
/// Most seconds of processor time. The engines' own limits end every check long before.
pub const CPU_SECONDS: u32 = 3;
/// Most time on the clock, for a machine that is busy.
pub const WALL: Duration = Duration::from_secs(60);

/// Most bytes of task and answer together, encoded.
const MAX_REQUEST: u64 = 64 * 1024;

/// What the process says on a line of its own.
const HERE: &str = "judge: here";
const SOUND: &str = "judge: sound";
const RIGHT: &str = "judge: right";
const WRONG: &str = "judge: wrong ";
const BROKEN: &str = "judge: broken ";

/// Checks answers, in a process of its own where an engine is needed.
#[derive(Clone, Debug)]
pub struct Judge {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Judge {
    /// With a program that calls [`serve`] when it is started with these arguments.
    pub fn new(program: PathBuf, arguments: Vec<OsString>) -> Self {
        Self { program, arguments }
    }

    /// With the running program, which must begin as this module's documentation says.
    pub fn of_this_program() -> io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?, vec![ARGUMENT.into()]))
    }

    /// The verdict over a model's whole answer, never [`Verdict::Void`]. An answer that is too long, has no program in it, fails, or takes more
    /// than the limits is wrong.
    ///
    /// # Errors
    ///
    /// When the task itself cannot be decided.
    pub fn check(&self, checker: &Checker, answer: &[u8]) -> Result<Verdict, TaskFault> {
        self.explain(checker, answer).map(|(verdict, _)| verdict)
    }

    /// [`Self::check`], and why an answer that was run is wrong, on one line.
    pub fn explain(
        &self,
        checker: &Checker,
        answer: &[u8],
    ) -> Result<(Verdict, String), TaskFault> {
        if !needs_panel(checker) {
            return match checkers::check(checker, answer) {
                Verdict::Void => Err(TaskFault::Unsound),
                verdict => Ok((verdict, String::new())),
            };
        }
        let program = std::str::from_utf8(answer)
            .ok()
            .filter(|answer| answer.len() <= MAX_ANSWER as usize && !answer.contains('\0'))
            .and_then(extract::program);
        let (verdict, reason) = self.ask(checker, program)?;
        Ok(match program {
            Some(_) => (verdict, reason),
            None => (
                Verdict::Wrong,
                format!("there is no program in it, or it has more than {MAX_ANSWER} bytes"),
            ),
        })
    }

    /// Whether the task is in order: it parses, and its own statements run within the limits.
    pub fn prove(&self, checker: &Checker) -> Result<(), TaskFault> {
        if needs_panel(checker) {
            return self.ask(checker, None).map(|_| ());
        }
        is_sound(checker).then_some(()).ok_or(TaskFault::Unsound)
    }

    fn ask(
        &self,
        checker: &Checker,
        program: Option<&str>,
    ) -> Result<(Verdict, String), TaskFault> {
        if !is_sound(checker) {
            return Err(TaskFault::Unsound);
        }
        let not_run = |e: io::Error| TaskFault::NotRun(e.to_string());
        let mut child = self.start().map_err(not_run)?;
        let heard = listen(&mut child, &(checker, program).encode());
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().map_err(not_run)?;
        let (mut here, mut sound) = (false, false);
        for line in heard.map_err(not_run)? {
            match line.as_str() {
                HERE => here = true,
                SOUND => sound = true,
                RIGHT => return Ok((Verdict::Right, String::new())),
                line => {
                    if let Some(reason) = line.strip_prefix(WRONG) {
                        return Ok((Verdict::Wrong, reason.to_owned()));
                    }
                    if let Some(reason) = line.strip_prefix(BROKEN) {
                        return Err(TaskFault::Broken(reason.to_owned()));
                    }
                }
            }
        }
        match (here, sound) {
            (true, true) => Ok((
                Verdict::Wrong,
                "it ran into the limits of the process".into(),
            )),
            (true, false) => Err(TaskFault::Limit),
            _ => Err(TaskFault::NotRun(format!(
                "{} ends at once",
                self.program.display()
            ))),
        }
    }

    fn start(&self) -> io::Result<Child> {
        let limits = format!(
            "ulimit -v {}; ulimit -t {CPU_SECONDS}; ulimit -c 0; exec \"$0\" \"$@\"",
            MAX_MEMORY / 1024
        );
        Command::new("/bin/sh")
            .args(["-c", &limits])
            .arg(&self.program)
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    }
}

/// Hands over the request and collects what is said until the process ends or [`WALL`] is over.
fn listen(child: &mut Child, request: &[u8]) -> io::Result<Vec<String>> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("no pipes"));
    };
    let (say, hear) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output.take(MAX_REQUEST)).lines() {
            let Ok(line) = line else { break };
            if say.send(line).is_err() {
                break;
            }
        }
    });
    // A process that does not start takes nothing; that shows in what it says.
    let _ = input.write_all(request);
    drop(input);
    let end = Instant::now() + WALL;
    let mut lines = Vec::new();
    while let Ok(line) = hear.recv_timeout(end.saturating_duration_since(Instant::now())) {
        lines.push(line);
    }
    Ok(lines)
}

/// Whether this program was started to check one answer.
pub fn is_asked() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == ARGUMENT)
}

/// Checks the one answer that comes through standard input. To be called before anything else is done.
pub fn serve() -> ExitCode {
    let mut request = Vec::new();
    let read = io::stdin()
        .lock()
        .take(MAX_REQUEST)
        .read_to_end(&mut request);
    let Ok((checker, program)) = <(Checker, Option<String>)>::decode(&mut request.as_slice())
    else {
        return ExitCode::FAILURE;
    };
    say(HERE);
    let judged = thread::Builder::new()
        .stack_size(code::STACK)
        .spawn(move || judge(&checker, program.as_deref()));
    let verdict = judged.map(thread::JoinHandle::join);
    match (read, verdict) {
        (Ok(_), Ok(Ok(Ok(None)))) => {}
        (Ok(_), Ok(Ok(Ok(Some(Ok(true)))))) => say(RIGHT),
        (Ok(_), Ok(Ok(Ok(Some(Ok(false)))))) => say(&format!("{WRONG}it does something else")),
        (Ok(_), Ok(Ok(Ok(Some(Err(reason)))))) => say(&format!("{WRONG}{}", one_line(&reason))),
        (Ok(_), Ok(Ok(Err(reason)))) => say(&format!("{BROKEN}{}", one_line(&reason))),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

/// Whether the program is right, or why it failed; `None` without one. The outer error is a fault of the task.
fn judge(checker: &Checker, program: Option<&str>) -> Result<Option<Judged>, String> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|e| e.to_string());
    match checker {
        Checker::Sql {
            setup,
            reference,
            ordered,
        } => {
            let mut tables = Tables::new(text(setup)?, text(reference)?, *ordered)?;
            say(SOUND);
            Ok(program.map(|program| tables.admit(program)))
        }
        Checker::Code { function, tests } => {
            let (function, tests) = (text(function)?, Tests::new(text(tests)?)?);
            say(SOUND);
            Ok(program.map(|program| tests.admit(function, program)))
        }
        _ => Err("this checker needs no engine".into()),
    }
}

type Judged = Result<bool, String>;

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Nobody is told when the other end is gone. The empty line ends whatever a host has begun.
    let _ = writeln!(out, "\n{line}").and_then(|()| out.flush());
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(1000).collect()
}
