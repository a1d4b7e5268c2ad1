//! `touchstone reputation correlations` and `flags`: who errs like whom, and what nodes are watched for.

use crate::{
    Result, output,
    reputation::{heading, name_of, short, topic},
};
use clap::Args;
use serde::Serialize;
use touchstone_client::{Chain, verify::Outcome};
use touchstone_primitives::{
    apis::{self, PairCorrelation, Watched},
    fixed::Signed,
    independence::Correlation,
    significance::Stream,
    watch::{self, Flag, Recent},
};

/// Show how far the nodes of a topic give the same wrong answers, pair by pair, and for how many independent nodes all of them count.
///
/// Only tasks that every group got and that have many plausible wrong answers are counted: b that both got wrong, s of them with the same
/// answer, a expected by chance. Older ones count less. The floor comes from who runs the nodes and with which models; rho is never below it.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone reputation correlations --topic arithmetic
  touchstone reputation correlations --topic arithmetic --json | jq .effective")]
pub struct Correlations {
    /// Name or number of the topic.
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Show what nodes are watched for: whether they became worse than their peers, and whether they are better at public canaries than at
/// secret ones.
///
/// Evidence is log2 of the capital that bets against the node have earned; a node is flagged when it reaches BITS. A flag costs nothing until it
/// is confirmed: of drift by the council, of a gap by auditors that did not raise it.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone reputation flags
  touchstone reputation flags --topic arithmetic --json | jq '.[] | select(.flag)'")]
pub struct Flags {
    /// Only this topic, by name or number.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Print JSON: a row for each watch.
    #[arg(long)]
    json: bool,
}

/// Whether this program comes to the chain's correlation.
fn is_right(pair: &Correlation) -> bool {
    Correlation::of(pair.both, pair.same, pair.chance, pair.floor) == *pair
}

/// Every node with every node.
fn matrix(all: &apis::Correlations) -> Vec<Vec<String>> {
    let count = all.nodes.len();
    let mut rows = vec![(0..=count).map(|n| format!("#{n}")).collect::<Vec<_>>()];
    if let Some(corner) = rows.first_mut().and_then(|row| row.first_mut()) {
        *corner = "RHO".into();
    }
    for one in 0..count {
        let cells = (0..count).map(|other| format!("{:.3}", all.rho(one, other)));
        rows.push(
            std::iter::once(format!("#{}", one + 1))
                .chain(cells)
                .collect(),
        );
    }
    rows
}

impl Correlations {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.finalized().await?;
        let topic = topic(chain, &self.topic, at).await?;
        let all = chain.correlations(topic.id, at).await?;
        if self.json {
            return output::json(
                &serde_json::json!({ "correlations": all, "effective": all.effective() }),
            );
        }
        if all.nodes.is_empty() {
            println!(
                "nobody that serves the topic has answered a shared canary yet; `touchstone canary list` shows who serves it"
            );
            return Ok(());
        }
        let mut rows = vec![heading(&["#", "NODE", "OPERATOR", "BASE", "ADAPTER"])];
        for (n, (node, origin)) in (1..).zip(&all.nodes) {
            rows.push(vec![
                format!("#{n}"),
                node.to_string(),
                origin.operator.to_string(),
                format!("{:?}", origin.base),
                origin
                    .adapter
                    .map_or("-".into(), |adapter| format!("{adapter:?}")),
            ]);
        }
        output::table(&rows);
        println!();
        output::table(&matrix(&all));
        println!();
        let mut rows = vec![heading(&[
            "PAIR", "b", "s", "a", "ev", "FLOOR", "RHO", "REDONE",
        ])];
        for PairCorrelation {
            one,
            other,
            correlation,
        } in &all.pairs
        {
            let Correlation {
                both,
                same,
                chance,
                excess,
                floor,
                rho,
            } = correlation;
            let numbers = [both, same, chance, excess, floor, rho].map(short);
            let mark = output::mark(if is_right(correlation) {
                Outcome::Holds
            } else {
                Outcome::Fails
            });
            let pair = format!("#{} #{}", one + 1, other + 1);
            rows.push([vec![pair], numbers.into(), vec![mark.into()]].concat());
        }
        output::table(&rows);
        println!(
            "ev = (s - a)/(b - a); rho = max(floor, (b·ev + 10·floor)/(b + 10))\nn_eff: {} nodes count for {} independent ones",
            all.nodes.len(),
            short(all.effective()),
        );
        Ok(())
    }
}

/// One watch of a node.
#[derive(Serialize)]
struct Row {
    topic: String,
    node: String,
    watch: &'static str,
    /// `log2(E)`.
    evidence: Signed,
    bits: u32,
    pairs: u32,
    /// Difference of pass rates lately.
    gap: Option<Signed>,
    /// What is admitted of it; `None` while it is measured.
    admitted: Option<Signed>,
    exonerations: u32,
    flag: Option<Flag>,
}

fn rows(topic: &str, it: &Watched) -> Vec<Row> {
    let row = |watch, stream: &Stream, recent: Recent| Row {
        topic: topic.into(),
        node: it.node.to_string(),
        watch,
        evidence: watch::evidence(stream),
        bits: it.gap.bits(it.alpha),
        pairs: recent.pairs,
        gap: recent.gap(),
        admitted: Some(Signed::from_fixed(watch::TOLERANCE)),
        exonerations: it.gap.exonerations,
        flag: None,
    };
    let (drift, gap) = (&it.drift, &it.gap);
    vec![
        Row {
            bits: drift.bits(it.alpha),
            admitted: drift.admitted.map(watch::difference),
            exonerations: drift.exonerations,
            flag: drift.flag,
            ..row("drift", &drift.stream, drift.since)
        },
        Row {
            flag: gap.flag,
            ..row("gap", &gap.one.stream, gap.one.recent)
        },
        row("gap, other auditors", &gap.other.stream, gap.other.recent),
    ]
}

impl Flags {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.finalized().await?;
        let topics = chain.topics(at).await?;
        let chosen = match &self.topic {
            Some(name) => vec![topic(chain, name, at).await?],
            None => topics.clone(),
        };
        let mut all = Vec::new();
        for topic in &chosen {
            let name = name_of(&topics, topic.id);
            let watched = chain.watched(topic.id, at).await?;
            all.extend(watched.iter().flat_map(|it| rows(&name, it)));
        }
        if self.json {
            return output::json(&all);
        }
        let mut table = vec![heading(&[
            "TOPIC", "NODE", "WATCH", "EVIDENCE", "BITS", "PAIRS", "GAP", "ADMITTED", "FLAG",
        ])];
        for row in &all {
            table.push(vec![
                row.topic.clone(),
                row.node.clone(),
                row.watch.into(),
                short(row.evidence),
                row.bits.to_string(),
                row.pairs.to_string(),
                row.gap.map_or("-".into(), short),
                row.admitted.map_or("being measured".into(), short),
                row.flag
                    .map_or("-".into(), |flag| format!("since {} ms", flag.at)),
            ]);
        }
        output::table(&table);
        let flags = all.iter().filter(|row| row.flag.is_some()).count();
        println!("{flags} flags");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_primitives::{NodeId, fixed::Fixed, independence::Origin};

    #[test]
    fn a_correlation_that_is_off_in_the_last_digit_is_noticed() {
        let tenth = |n| Fixed::from_int(n).over(Fixed::from_int(10));
        let right = Correlation::of(tenth(100), tenth(60), tenth(5), tenth(2));
        assert!(is_right(&right));
        let rho = right.rho.plus(Fixed::from_bits(1));
        assert!(!is_right(&Correlation { rho, ..right }));
    }

    #[test]
    fn the_matrix_has_every_pair_twice() {
        let origin = |n: u8| Origin {
            operator: NodeId::new([n; 32]),
            base: [n; 32].into(),
            adapter: None,
            family: None,
        };
        let correlation = Correlation::of(Fixed::ZERO, Fixed::ZERO, Fixed::ZERO, Fixed::HALF);
        let all = apis::Correlations {
            topic: 0,
            now: 0,
            half_life: 1,
            nodes: (1..=2).map(|n| (NodeId::new([n; 32]), origin(n))).collect(),
            pairs: vec![PairCorrelation {
                one: 0,
                other: 1,
                correlation,
            }],
        };
        let shown: Vec<_> = matrix(&all).iter().map(|row| row.join(" ")).collect();
        assert_eq!(shown, ["RHO #1 #2", "#1 1.000 0.500", "#2 0.500 1.000"]);
    }

    #[test]
    fn a_node_has_three_watches() {
        let watched = Watched {
            topic: 0,
            node: NodeId::new([1; 32]),
            alpha: Fixed::percent(1),
            drift: Default::default(),
            gap: Default::default(),
        };
        let rows = rows("arithmetic", &watched);
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.bits == 8 && row.gap.is_none()));
        assert_eq!(rows[0].admitted, None);
    }
}
