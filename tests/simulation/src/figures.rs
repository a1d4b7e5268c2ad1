//! The figures of docs/evidence.md.

use crate::scenarios::{
    coalition::Held,
    drift::{Drift, STOPS},
    honest::Honest,
    newcomer::Newcomer,
};
use plotters::{coord::types::RangedCoordf64, prelude::*};
use std::{error::Error, ops::Range, path::Path};

type Done = Result<(), Box<dyn Error>>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

const INK: RGBColor = RGBColor(40, 60, 90);
const ACCENT: RGBColor = RGBColor(200, 80, 30);
const FAINT: RGBColor = RGBColor(150, 150, 150);

/// Draws into a new file, with named axes.
fn draw(
    path: &Path,
    title: &str,
    (x_name, x): (&str, Range<f64>),
    (y_name, y): (&str, Range<f64>),
    legend: SeriesLabelPosition,
    content: impl FnOnce(&mut Chart) -> Done,
) -> Done {
    let area = SVGBackend::new(path, (640, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc(x_name)
        .y_desc(y_name)
        .x_label_formatter(&|x| format!("{}", (x * 10.0).round() / 10.0))
        .y_label_formatter(&|y| format!("{}", (y * 10.0).round() / 10.0))
        .light_line_style(TRANSPARENT)
        .draw()?;
    content(&mut chart)?;
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.8))
        .border_style(FAINT)
        .draw()?;
    area.present()?;
    Ok(())
}

fn line(chart: &mut Chart, name: &str, colour: RGBColor, points: Vec<(f64, f64)>) -> Done {
    chart
        .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
        .label(name)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    Ok(())
}

/// Skill against weight, by operator.
pub fn skill(path: &Path, honest: &Honest) -> Done {
    let names = ["arithmetic", "reading", "words"];
    let colours = [INK, ACCENT, FAINT];
    let all = honest.topics.iter().flat_map(|topic| &topic.share);
    let top = all.copied().fold(0.0, f64::max) * 110.0;
    draw(
        path,
        "What sixty operators can do, and what they weigh",
        ("skill (pass rate on what counts)", 0.0..1.0),
        ("share of the votes, %", 0.0..top),
        SeriesLabelPosition::UpperLeft,
        |chart| {
            for ((topic, name), colour) in honest.topics.iter().zip(names).zip(colours) {
                let points = topic.skill.iter().zip(&topic.share);
                chart
                    .draw_series(
                        points.map(|(x, y)| Circle::new((*x, y * 100.0), 3, colour.filled())),
                    )?
                    .label(name)
                    .legend(move |(x, y)| Circle::new((x + 8, y), 3, colour.filled()));
            }
            Ok(())
        },
    )
}

/// The newcomer's places over days.
pub fn newcomer(path: &Path, newcomer: &Newcomer) -> Done {
    let days = |place: fn(&crate::scenarios::newcomer::Day) -> f64| {
        newcomer
            .days
            .iter()
            .map(|day| (f64::from(day.age), place(day)))
            .collect()
    };
    draw(
        path,
        "Places of a newcomer that is better than all sixty others",
        ("days since it joined", 0.0..185.0),
        ("place (1 is first)", 62.0..0.0),
        SeriesLabelPosition::MiddleRight,
        |chart| {
            line(chart, "by votes", INK, days(|day| day.by_votes))?;
            line(
                chart,
                "by competence",
                ACCENT,
                days(|day| day.by_competence),
            )?;
            line(
                chart,
                "one half-life",
                FAINT,
                vec![(30.0, 62.0), (30.0, 0.0)],
            )
        },
    )
}

/// A coalition's share against its part of the skill.
pub fn coalition(path: &Path, sizes: &[(Held, Held)]) -> Done {
    let points = |held: fn(&(Held, Held)) -> Held| {
        let point = |held: Held| (held.fair * 100.0, held.share * 100.0);
        sizes.iter().map(held).map(point).collect()
    };
    draw(
        path,
        "What coalitions of 3 to 30 of sixty operators hold",
        ("their part of the skill, %", 0.0..70.0),
        ("their part of the votes, %", 0.0..90.0),
        SeriesLabelPosition::LowerRight,
        |chart| {
            line(
                chart,
                "with the greatest bonds",
                ACCENT,
                points(|(_, rich)| *rich),
            )?;
            line(
                chart,
                "with bonds like all others",
                INK,
                points(|(honest, _)| *honest),
            )?;
            line(chart, "fair", FAINT, vec![(0.0, 0.0), (70.0, 70.0)])
        },
    )
}

/// Reputation of the node that stops reasoning.
pub fn drift(path: &Path, drift: &Drift) -> Done {
    let stops = f64::from(STOPS);
    let top = drift
        .days
        .iter()
        .map(|day| day.reputation)
        .fold(0.0, f64::max)
        * 1.1;
    let days = drift.days.iter();
    let reputation = days
        .map(|day| (f64::from(day.day), day.reputation))
        .collect();
    draw(
        path,
        "A node that only guesses from day 183 on",
        ("day", 0.0..365.0),
        ("reputation R", 0.0..top),
        SeriesLabelPosition::MiddleRight,
        |chart| {
            line(chart, "reputation", INK, reputation)?;
            line(
                chart,
                "stops reasoning",
                FAINT,
                vec![(stops, 0.0), (stops, top)],
            )?;
            if let Some(after) = drift.voteless_after() {
                let day = stops + f64::from(after);
                line(
                    chart,
                    "loses its vote",
                    ACCENT,
                    vec![(day, 0.0), (day, top)],
                )?;
            }
            Ok(())
        },
    )
}
