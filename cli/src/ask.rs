//! `touchstone ask`.

use crate::{
    Result,
    memory::{self, WithMemory},
    output,
};
use clap::Args;
use std::{
    io::{Read, Write},
    path::PathBuf,
    time::{Duration, Instant},
};
use touchstone_client::{Chain, Error, verify::SavedAnswer};
use touchstone_primitives::H256;
use touchstone_rpc::{AskAnswer, AskRequest, AskUpdate, InferenceClient};

/// Ask a question. The answer goes to standard output as it is made, its receipt to standard error.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone ask 'What is the capital of Norway?'
  touchstone ask --topic chemistry --max-tokens 64 --temperature 0.7 'Name three noble gases.'
  touchstone ask --adapter arithmetic 'What is 12 + 30?'
  touchstone ask --memory topic/manuals 'How do I list files by size?'
  touchstone ask --save answer.json 'What is 6 times 7?'
  cat question.txt | touchstone ask -")]
pub struct Ask {
    /// Name of a registered topic.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Model of the node; `touchstone models` lists them. Default: the first one.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Adapter of the model.
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
    #[command(flatten)]
    memory: WithMemory,
    /// Most tokens of the answer.
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// 0 (always the likeliest token) to 2.
    #[arg(long, value_name = "X")]
    temperature: Option<f64>,
    /// Print the whole answer as JSON.
    #[arg(long)]
    json: bool,
    /// Wait for the whole answer.
    #[arg(long)]
    no_stream: bool,
    /// Write question, answer and receipt to a file that `touchstone receipt verify` takes.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The question; `-` reads it from standard input.
    #[arg(required = true, value_name = "PROMPT")]
    prompt: Vec<String>,
}

impl Ask {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let request = AskRequest {
            prompt: Some(prompt(&self.prompt)?),
            topic: self.topic,
            model: self.model,
            adapter: self.adapter,
            memory: self.memory.asked()?,
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            client_nonce: Some(H256(rand::random())),
            ..Default::default()
        };
        let question = request.prompt.clone().unwrap_or_default();
        let started = Instant::now();
        let answer = if self.no_stream || self.json {
            let answer = chain
                .client()
                .ask(request.clone())
                .await
                .map_err(|e| Error::of("inference_ask", e))?;
            if !self.json {
                println!("{}", answer.text);
            }
            answer
        } else {
            stream(chain, request.clone()).await?
        };
        let took = started.elapsed();
        let saved = SavedAnswer {
            request: Some(request),
            answer,
        };
        if self.json {
            output::json(&saved)?;
        }
        if let Some(file) = &self.save {
            let text = serde_json::to_string_pretty(&saved).map_err(|e| e.to_string())?;
            std::fs::write(file, text)
                .map_err(|e| format!("cannot write {}: {e}", file.display()))?;
        }
        let subject = match &self.save {
            Some(file) => file.display().to_string(),
            None => format!("{:?}", saved.answer.receipt.id),
        };
        if let Some(found) = &saved.answer.memory {
            eprintln!();
            memory::sources(found);
        }
        summary(&saved.answer, took, &subject);
        self.memory
            .remember(chain, &question, &saved.answer.text)
            .await?;
        Ok(())
    }
}

fn prompt(words: &[String]) -> Result<String> {
    if words != ["-"] {
        return Ok(words.join(" "));
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| format!("cannot read the question from standard input: {e}"))?;
    Ok(text)
}

async fn stream(chain: &Chain, request: AskRequest) -> Result<AskAnswer> {
    let method = "inference_subscribeAsk";
    let mut updates = chain
        .client()
        .subscribe_ask(request)
        .await
        .map_err(|e| Error::of(method, e))?;
    let mut shown = String::new();
    while let Some(update) = updates.next().await {
        match update.map_err(|e| Error::of(method, e.into()))? {
            AskUpdate::Delta { text, .. } => {
                print!("{text}");
                // Whoever reads the output may have gone; the answer is still worth its receipt.
                let _ = std::io::stdout().flush();
                shown.push_str(&text);
            }
            AskUpdate::Answer { answer } => {
                println!("{}", answer.text.strip_prefix(&shown).unwrap_or_default());
                return Ok(*answer);
            }
            AskUpdate::Error { code, message } => {
                println!();
                return Err(Error::Refused {
                    method: method.into(),
                    code,
                    message,
                }
                .into());
            }
        }
    }
    Err(format!(
        "{}: the node ended the stream without an answer; ask again",
        chain.url()
    )
    .into())
}

fn summary(answer: &AskAnswer, took: Duration, subject: &str) {
    let (receipt, timings) = (&answer.receipt, &answer.timings);
    let speed = if timings.decode_ms > 0.0 {
        format!(
            ", {:.1} tokens/s",
            f64::from(answer.usage.completion_tokens) * 1000.0 / timings.decode_ms
        )
    } else {
        String::new()
    };
    eprintln!();
    eprintln!("receipt   {:?}", receipt.id);
    eprintln!(
        "node      {} (stream {}, sequence {})",
        receipt.specialist, receipt.stream, receipt.sequence
    );
    eprintln!(
        "answer    {} tokens after {} of question{speed}, {} in all",
        answer.usage.completion_tokens,
        answer.usage.prompt_tokens,
        output::duration(took),
    );
    eprintln!("verify    touchstone receipt verify --wait {subject}");
}
