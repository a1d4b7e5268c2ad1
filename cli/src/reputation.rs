//! `touchstone reputation`: what nodes have shown, and the arithmetic behind it.

use crate::{Failure, Result, output, watched};
use clap::{Args, Subcommand};
use sp_core::H256;
use touchstone_client::{Chain, verify::Outcome};
use touchstone_primitives::{
    NodeId,
    apis::{Explanation, Ranking, TopicId, TopicInfo},
    evidence::Standing,
    reputation::Fold,
};

/// Show what nodes have earned by answering canaries, and redo the arithmetic.
#[derive(Subcommand)]
pub enum Reputation {
    Vector(Vector),
    Ranking(Rank),
    Explain(Explain),
    Correlations(watched::Correlations),
    Flags(watched::Flags),
}

/// Show a node's reputation on every topic with evidence.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone reputation vector 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty
  touchstone reputation vector 5FHn… --json")]
pub struct Vector {
    /// Account of the node.
    node: NodeId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Show the nodes of every topic by reputation, with the weights of their groups.
///
/// Weight is what the node's group holds of the topic's votes. It is 0 for everybody while fewer than three groups are eligible.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone reputation ranking
  touchstone reputation ranking --topic mathematics --json | jq '.[] | [.node, .weight]'")]
pub struct Rank {
    /// Only this topic, by name or number.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Print JSON: rows with node, topic, evidence, competence, S and weight.
    #[arg(long)]
    json: bool,
}

/// Show how a node's number on a topic comes about, line by line, and whether this program comes to the chain's numbers.
///
/// Everything is computed again here from what the chain keeps: decayed sums of evidence, parameters, bond and safety factor.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone reputation explain 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty arithmetic
  touchstone reputation explain --check 5FHn… arithmetic && echo 'equal to the last digit'

Exit status: 1 when a number differs (with --check).")]
pub struct Explain {
    /// Account of the node.
    node: NodeId,
    /// Name or number of the topic.
    topic: String,
    /// Fail unless every number equals the chain's to the last digit.
    #[arg(long)]
    check: bool,
}

impl Reputation {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        match self {
            Self::Vector(vector) => vector.run(chain).await,
            Self::Ranking(ranking) => ranking.run(chain).await,
            Self::Explain(explain) => explain.run(chain).await,
            Self::Correlations(correlations) => correlations.run(chain).await,
            Self::Flags(flags) => flags.run(chain).await,
        }
    }
}

/// The topic of this name or number.
pub async fn topic(chain: &Chain, name: &str, at: H256) -> Result<TopicInfo> {
    let topic = chain.topic(name, at).await?;
    Ok(topic.ok_or_else(|| {
        format!("there is no topic \"{name}\"; `touchstone models` lists those there are")
    })?)
}

/// A number with six digits, for tables.
pub fn short(number: impl ToString) -> String {
    let text = number.to_string();
    match text.split_once('.') {
        Some((whole, part)) => format!("{whole}.{}", part.get(..6).unwrap_or(part)),
        None => text,
    }
}

pub fn name_of(topics: &[TopicInfo], id: TopicId) -> String {
    topics
        .iter()
        .find(|topic| topic.id == id)
        .map_or(id.to_string(), |topic| {
            String::from_utf8_lossy(&topic.name).into_owned()
        })
}

pub fn heading(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

impl Vector {
    async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.finalized().await?;
        let vector = chain.reputation_vector(&self.node, at).await?;
        let topics = chain.topics(at).await?;
        if self.json {
            let rows: Vec<_> = vector
                .iter()
                .map(|on| {
                    serde_json::json!({
                        "topic": name_of(&topics, on.topic), "evidence": on.standing.evidence.to_string(),
                        "competence": on.standing.competence.to_string(), "S": on.standing.safety.to_string(),
                        "reputation": on.standing.reputation.to_string(), "eligibility": on.eligibility,
                    })
                })
                .collect();
            return output::json(&rows);
        }
        let mut rows = vec![heading(&[
            "TOPIC",
            "EVIDENCE",
            "COMPETENCE",
            "S",
            "REPUTATION",
            "INFLUENCE",
        ])];
        for on in &vector {
            rows.push(vec![
                name_of(&topics, on.topic),
                short(on.standing.evidence),
                short(on.standing.competence),
                short(on.standing.safety),
                short(on.standing.reputation),
                format!("{:?}", on.eligibility),
            ]);
        }
        output::table(&rows);
        if vector.is_empty() {
            println!(
                "{} has no evidence yet; `touchstone canary list` shows what it serves",
                self.node
            );
        }
        Ok(())
    }
}

impl Rank {
    async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.finalized().await?;
        let topics = chain.topics(at).await?;
        let chosen = match &self.topic {
            Some(name) => vec![topic(chain, name, at).await?],
            None => topics.clone(),
        };
        let mut rankings = Vec::new();
        for topic in &chosen {
            rankings.push(chain.ranking(topic.id, at).await?);
        }
        if self.json {
            let rows: Vec<_> = rankings
                .iter()
                .flat_map(|ranking| {
                    let name = name_of(&topics, ranking.topic);
                    ranking.rows.iter().map(move |row| {
                        serde_json::json!({
                            "node": row.node, "topic": name, "evidence": row.standing.evidence.to_string(),
                            "competence": row.standing.competence.to_string(),
                            "S": row.standing.safety.to_string(), "weight": row.weight.to_string(),
                            "reputation": row.standing.reputation.to_string(), "group": row.group,
                            "eligibility": row.eligibility,
                        })
                    })
                })
                .collect();
            return output::json(&rows);
        }
        let mut rows = vec![heading(&[
            "TOPIC",
            "NODE",
            "EVIDENCE",
            "COMPETENCE",
            "S",
            "REPUTATION",
            "WEIGHT",
            "INFLUENCE",
        ])];
        for ranking in &rankings {
            for row in &ranking.rows {
                rows.push(vec![
                    name_of(&topics, ranking.topic),
                    row.node.to_string(),
                    short(row.standing.evidence),
                    short(row.standing.competence),
                    short(row.standing.safety),
                    short(row.standing.reputation),
                    short(row.weight),
                    format!("{:?}", row.eligibility),
                ]);
            }
        }
        output::table(&rows);
        Ok(())
    }
}

impl Explain {
    async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.finalized().await?;
        let topic = topic(chain, &self.topic, at).await?;
        let explanation = chain.explain(&self.node, topic.id, at).await?;
        let Some(explanation) = explanation else {
            return Err(format!(
                "there is no node {}; `touchstone members` lists those there are",
                self.node
            )
            .into());
        };
        let history = chain.evidence_history(&self.node, topic.id, at).await?;
        let ranking = chain.ranking(topic.id, at).await?;
        let sheet = Sheet::of(&explanation, &history, &ranking);
        println!(
            "{} on {}, block {at:?}, chain time {} ms",
            self.node,
            String::from_utf8_lossy(&topic.name),
            explanation.now,
        );
        for line in &sheet.lines {
            line.print();
        }
        let wrong = sheet.wrong();
        if wrong == 0 {
            println!("Every number equals the chain's to the last digit.");
            return Ok(());
        }
        println!(
            "{wrong} numbers differ from the chain's; program and runtime may be of different versions."
        );
        match self.check {
            true => Err(Failure::Shown(1)),
            false => Ok(()),
        }
    }
}

/// A line of the arithmetic.
enum Line {
    /// Words.
    Text(String),
    /// What was computed here, and what the chain has.
    Number {
        formula: String,
        here: String,
        chain: String,
    },
}

impl Line {
    fn print(&self) {
        match self {
            Self::Text(text) => println!("{text}"),
            Self::Number {
                formula,
                here,
                chain,
            } => {
                let same = here == chain;
                let mark = output::mark(if same { Outcome::Holds } else { Outcome::Fails });
                println!("{mark} {formula} = {here}");
                if !same {
                    println!("    the chain has {chain}");
                }
            }
        }
    }
}

/// The arithmetic, line by line.
struct Sheet {
    lines: Vec<Line>,
}

impl Sheet {
    fn text(&mut self, text: impl Into<String>) {
        self.lines.push(Line::Text(text.into()));
    }

    fn number(&mut self, formula: impl Into<String>, here: impl ToString, chain: impl ToString) {
        self.lines.push(Line::Number {
            formula: formula.into(),
            here: here.to_string(),
            chain: chain.to_string(),
        });
    }

    fn wrong(&self) -> usize {
        let differs =
            |line: &&Line| matches!(line, Line::Number { here, chain, .. } if here != chain);
        self.lines.iter().filter(differs).count()
    }

    fn of(explanation: &Explanation, history: &[Fold], ranking: &Ranking) -> Self {
        let mut sheet = Self { lines: Vec::new() };
        sheet.evidence(explanation, history);
        sheet.standing(explanation);
        sheet.influence(explanation, ranking);
        sheet
    }

    fn evidence(&mut self, explanation: &Explanation, history: &[Fold]) {
        let Explanation {
            account,
            knobs,
            now,
            ..
        } = explanation;
        if !history.is_empty() {
            self.text("Last evidence (N' = N·f + mass, P' = P·f + right):");
        }
        let mut before: Option<&Fold> = None;
        for fold in history {
            self.text(format!(
                "  {} {} duties of epoch {}: f {} mass {} right {} -> N {} P {}",
                if fold.secret { "secret" } else { "public" },
                fold.duties,
                fold.epoch,
                fold.factor,
                fold.mass,
                fold.passed,
                fold.evidence,
                fold.passed_total,
            ));
            if let Some(before) = before {
                let evidence = before.evidence.times(fold.factor).plus(fold.mass);
                if evidence == fold.evidence {
                    let formula = format!(
                        "  N = {} · {} + {}",
                        before.evidence, fold.factor, fold.mass
                    );
                    self.number(formula, evidence, fold.evidence);
                } else {
                    self.text(
                        "  (before it the node began to serve another model, which scales N and P)",
                    );
                }
            }
            before = Some(fold);
        }
        self.text(format!(
            "Kept since {} ms: N {} P {}",
            account.tally.updated_at, account.tally.evidence, account.tally.passed
        ));
        let elapsed = now.saturating_sub(account.tally.updated_at);
        self.number(
            format!("f = 2^(-{elapsed} ms / {} ms)", knobs.half_life),
            touchstone_primitives::fixed::decay(elapsed, knobs.half_life),
            explanation.factor,
        );
    }

    fn standing(&mut self, explanation: &Explanation) {
        let Explanation { knobs, bond, .. } = explanation;
        let (here, chain) = (explanation.redo(), &explanation.standing);
        let Standing {
            evidence,
            passed,
            epochs,
            competence,
            volume,
            stake,
            base,
            safety,
            reputation,
        } = &here;
        self.number("N = N_kept · f", evidence, chain.evidence);
        self.number("P = P_kept · f", passed, chain.passed);
        self.number("epochs with evidence", epochs, chain.epochs);
        self.number(
            format!(
                "C = (P + kappa·C0) / (N + kappa) = ({passed} + {}·{}) / ({evidence} + {})",
                knobs.kappa, knobs.prior, knobs.kappa
            ),
            competence,
            chain.competence,
        );
        self.number(
            format!("N^gamma = {evidence}^{}", knobs.gamma),
            volume,
            chain.volume,
        );
        self.number(
            format!(
                "g = min(1 + beta·ln(1 + bond/bond0), g_max) = min(1 + {}·ln(1 + {bond}/{}), {})",
                knobs.beta, knobs.bond_unit, knobs.stake_max
            ),
            stake,
            chain.stake,
        );
        self.number(
            format!("B = C · N^gamma · g = {competence} · {volume} · {stake}"),
            base,
            chain.base,
        );
        self.number(
            format!(
                "S = 1 - (1 - {}) · 2^(-{} ms / {} ms)",
                explanation.safety.value,
                explanation.now.saturating_sub(explanation.safety.at),
                knobs.recovery
            ),
            safety,
            chain.safety,
        );
        self.number(
            format!("R = B · S = {base} · {safety}"),
            reputation,
            chain.reputation,
        );
    }

    fn influence(&mut self, explanation: &Explanation, ranking: &Ranking) {
        let (here, chain) = (ranking.redo(), &ranking.electorate);
        self.text(format!(
            "Influence is shared out among groups: {} of {} nodes' groups are eligible",
            here.eligible,
            ranking.rows.len()
        ));
        self.number(
            format!(
                "bar = (b_t + best C) / 2 = ({} + {}) / 2",
                here.bar.null_rate, here.bar.top
            ),
            here.bar.bar,
            chain.bar.bar,
        );
        let standing = explanation.redo();
        let eligibility =
            touchstone_primitives::influence::eligibility(&standing, &here.bar, &explanation.knobs);
        self.number(
            "influence of the node",
            format!("{eligibility:?}"),
            format!("{:?}", explanation.eligibility),
        );
        self.number(
            format!("c = most of one group, {} clipped", here.clipped),
            here.cap,
            chain.cap,
        );
        self.number(
            "theta = base at which a group is clipped",
            here.threshold,
            chain.threshold,
        );
        let is_own = |weight: &&touchstone_primitives::evidence::GroupWeight| {
            weight.group == explanation.group && weight.node == explanation.node
        };
        match (here.weights.iter().find(is_own), &explanation.weight) {
            (Some(own), Some(theirs)) => {
                self.number(
                    format!(
                        "u = min(B, theta) / sum = min({}, {}) / {}",
                        own.base, here.threshold, here.total
                    ),
                    own.share,
                    theirs.share,
                );
                self.number(
                    format!("w = S · u = {} · {}", own.safety, own.share),
                    own.weight,
                    theirs.weight,
                );
            }
            (None, None) => self.text(
                "w = 0: the group has no weight on this topic, or another node stands for it",
            ),
            (here, theirs) => self.number("w", format!("{here:?}"), format!("{theirs:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_primitives::{
        apis::RankingRow,
        fixed::Fixed,
        influence::{self, Candidate},
        reputation::{self, Account, Knobs, Safety, Tally},
    };

    fn example() -> (Explanation, Ranking) {
        let (node, knobs, now) = (NodeId::new([1; 32]), Knobs::default(), 9_000_000_000);
        let account = Account {
            tally: Tally {
                evidence: Fixed::from_int(12),
                passed: Fixed::from_int(9),
                updated_at: 1_000_000_000,
            },
            epochs: 3,
            ..Account::default()
        };
        let bond = 2_000_000_000_000_000;
        let standing = reputation::standing(&account, Fixed::ONE, bond, now, &knobs);
        let candidates = [Candidate {
            group: node.clone(),
            node: node.clone(),
            standing: standing.clone(),
        }];
        let electorate = influence::electorate(&candidates, Fixed::percent(5), &knobs);
        let explanation = Explanation {
            node: node.clone(),
            group: node.clone(),
            topic: 0,
            now,
            factor: touchstone_primitives::fixed::decay(8_000_000_000, knobs.half_life),
            eligibility: influence::eligibility(&standing, &electorate.bar, &knobs),
            account,
            safety: Safety::default(),
            bond,
            standing: standing.clone(),
            weight: None,
            knobs,
        };
        let ranking = Ranking {
            topic: 0,
            now,
            knobs,
            rows: vec![RankingRow {
                node: node.clone(),
                group: node,
                eligibility: explanation.eligibility,
                standing,
                weight: Fixed::ZERO,
            }],
            electorate,
        };
        (explanation, ranking)
    }

    #[test]
    fn the_arithmetic_of_an_honest_chain_holds() {
        let (explanation, ranking) = example();
        assert_eq!(Sheet::of(&explanation, &[], &ranking).wrong(), 0);
    }

    #[test]
    fn a_chain_that_is_off_in_the_last_digit_is_noticed() {
        let (explanation, ranking) = example();
        let mut off = explanation.clone();
        off.standing.reputation = off.standing.reputation.plus(Fixed::from_bits(1));
        assert_eq!(Sheet::of(&off, &[], &ranking).wrong(), 1);
        let mut off = explanation.clone();
        off.account.tally.passed = off.account.tally.passed.plus(Fixed::from_bits(1 << 40));
        assert!(Sheet::of(&off, &[], &ranking).wrong() > 1);
        let mut off = ranking;
        off.electorate.bar.bar = Fixed::ZERO;
        assert_eq!(Sheet::of(&explanation, &[], &off).wrong(), 1);
    }

    #[test]
    fn tables_show_six_digits() {
        assert_eq!(short(Fixed::ratio(1, 3)), "0.333333");
        assert_eq!(short(Fixed::from_int(3)), "3");
    }
}
