//! `touchstone train`: makes an adapter out of examples, on this machine's processor.

use crate::{Failure, Result, output};
use std::{io::IsTerminal, path::PathBuf, time::Instant};
use touchstone_inference::train::{Progress, Recipe, Settings, Training};

/// Train a LoRA adapter of a base model on prompts and completions.
///
/// The data has a JSON object on each line: {"prompt": "...", "completion": "..."}. Written to the folder: the adapter in PEFT's
/// layout, recipe.json with the hashes of all that went in and came out, and loss.csv. The same recipe gives the same adapter.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  touchstone train --base smollm2.gguf --data examples.jsonl --out my-adapter --steps 400
  touchstone train --base smollm2.gguf --data examples.jsonl --out my-adapter --steps 400 --resume
  touchstone train --base smollm2.gguf --data examples.jsonl --out again --recipe my-adapter/recipe.json --check")]
pub struct Train {
    /// The base model: a GGUF file of the Llama or Qwen2 architecture.
    #[arg(long, value_name = "FILE")]
    base: PathBuf,
    /// The examples.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Folder for the results.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Rank of each matrix's change; more can learn more, and takes more memory [default: 8].
    #[arg(long)]
    rank: Option<usize>,
    /// Changes are multiplied by alpha / rank [default: twice the rank].
    #[arg(long)]
    alpha: Option<f64>,
    /// Matrices to change: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj [default: all].
    #[arg(long, value_delimiter = ',')]
    targets: Option<Vec<String>>,
    /// Steps of the optimiser [default: 200].
    #[arg(long)]
    steps: Option<usize>,
    /// Examples of a step [default: 8].
    #[arg(long)]
    batch: Option<usize>,
    /// Highest learning rate [default: 0.0005].
    #[arg(long)]
    learning_rate: Option<f64>,
    /// What is forgotten in a step, multiplied by the learning rate [default: 0].
    #[arg(long)]
    weight_decay: Option<f64>,
    /// What the first numbers and the order of the examples are drawn from [default: 0].
    #[arg(long)]
    seed: Option<u64>,
    /// Threads that compute; the result does not depend on it [default: all processors].
    #[arg(long)]
    threads: Option<usize>,
    /// Go on from the checkpoint in the folder, if there is one.
    #[arg(long)]
    resume: bool,
    /// Steps between checkpoints.
    #[arg(long, default_value_t = 20, value_name = "STEPS")]
    checkpoint: usize,
    /// Take all settings from a recipe; base and data must be the recipe's.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "rank", "alpha", "targets", "steps", "batch", "learning_rate", "weight_decay", "seed",
        ],
    )]
    recipe: Option<PathBuf>,
    /// Fail unless the adapter that comes out is the recipe's.
    #[arg(long, requires = "recipe")]
    check: bool,
}

impl Train {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let told = |e: touchstone_inference::train::TrainError| Failure::Told(e.to_string());
        let recipe = self.recipe.as_deref().map(Recipe::read);
        let recipe = recipe.transpose().map_err(told)?;
        let training = Training {
            settings: match &recipe {
                Some(recipe) => recipe.settings.clone(),
                None => self.settings(),
            },
            recipe: recipe.clone(),
            threads: self.threads.unwrap_or_else(|| {
                std::thread::available_parallelism().map_or(1, |threads| threads.get())
            }),
            base: self.base,
            data: self.data,
            out: self.out,
            resume: self.resume,
            checkpoint: self.checkpoint,
        };
        let mut shown = None;
        let result = touchstone_inference::train::train(&training, &mut |p| show(p, &mut shown));
        if std::io::stderr().is_terminal() && shown.is_some() {
            eprintln!();
        }
        let made = result.map_err(told)?;
        println!(
            "{}: adapter {:?}, loss {:.3} -> {:.3}",
            training.out.display(),
            made.adapter,
            made.loss[0],
            made.loss[1],
        );
        match recipe.filter(|recipe| self.check && recipe.adapter != made.adapter) {
            None => Ok(()),
            Some(recipe) => Err(Failure::Told(format!(
                "the recipe's adapter is {:?}; it was made on {} with {}, this one on {} with {}",
                recipe.adapter, recipe.cpu, recipe.engine, made.cpu, made.engine,
            ))),
        }
    }

    /// What the options say.
    fn settings(&self) -> Settings {
        let standard = Settings::default();
        let rank = self.rank.unwrap_or(standard.rank);
        Settings {
            rank,
            alpha: self.alpha.unwrap_or(2.0 * rank as f64),
            targets: self.targets.clone().unwrap_or(standard.targets),
            steps: self.steps.unwrap_or(standard.steps),
            batch: self.batch.unwrap_or(standard.batch),
            learning_rate: self.learning_rate.unwrap_or(standard.learning_rate),
            weight_decay: self.weight_decay.unwrap_or(standard.weight_decay),
            seed: self.seed.unwrap_or(standard.seed),
        }
    }
}

/// Shows how far the training is: a bar on a terminal, a line each half minute elsewhere.
fn show(progress: &Progress, shown: &mut Option<Instant>) {
    let terminal = std::io::stderr().is_terminal();
    let last = progress.step == progress.steps;
    if !terminal && !last && shown.is_some_and(|shown| shown.elapsed().as_secs() < 30) {
        return;
    }
    *shown = Some(Instant::now());
    let line = line(progress);
    match terminal {
        true => eprint!("\r{line}\x1b[K"),
        false => eprintln!("{line}"),
    }
}

fn line(progress: &Progress) -> String {
    const WIDTH: usize = 30;
    let full = WIDTH * progress.step / progress.steps.max(1);
    format!(
        "[{}{}] {}/{}  loss {:.3}  {:.0} tokens/s  {} left",
        "#".repeat(full),
        "-".repeat(WIDTH - full),
        progress.step,
        progress.steps,
        progress.loss,
        progress.speed,
        output::duration(progress.left),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::time::Duration;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        train: Train,
    }

    fn parse(extra: &[&str]) -> std::result::Result<Train, clap::Error> {
        let files = ["train", "--base", "b", "--data", "d", "--out", "o"];
        Cli::try_parse_from(files.iter().chain(extra)).map(|cli| cli.train)
    }

    #[test]
    fn alpha_follows_the_rank_and_a_recipe_allows_no_other_settings() {
        let settings = |extra: &[&str]| parse(extra).unwrap().settings();
        assert_eq!(settings(&[]), Settings::default());
        assert_eq!(settings(&["--rank", "4"]).alpha, 8.0);
        let targets = settings(&["--targets", "q_proj,v_proj"]).targets;
        assert_eq!(targets, ["q_proj", "v_proj"]);
        assert!(parse(&["--recipe", "r", "--check"]).is_ok());
        assert!(parse(&["--check"]).is_err());
        for option in [
            "--rank",
            "--alpha",
            "--targets",
            "--steps",
            "--batch",
            "--learning-rate",
            "--weight-decay",
            "--seed",
        ] {
            assert!(parse(&["--recipe", "r", option, "1"]).is_err(), "{option}");
        }
    }

    #[test]
    fn the_bar_shows_loss_speed_and_time_left() {
        let progress = Progress {
            step: 100,
            steps: 400,
            loss: 0.5,
            speed: 98.4,
            left: Duration::from_secs(60),
        };
        let line = line(&progress);
        assert!(
            line.contains("] 100/400  loss 0.500  98 tokens/s  60 s left"),
            "{line}"
        );
        assert_eq!(line.matches('#').count(), 7);
    }
}
