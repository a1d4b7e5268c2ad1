//! What the families ask. Phrasings are short and plain: small models must be able to understand what is wanted.

use super::{Draw, Family, Made};
use crate::checkers::{Checker, Form};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

pub(super) const FAMILIES: &[Family] = &[
    family("addition", addition, 10),
    family("subtraction", subtraction, 22),
    family("multiplication", multiplication, 10),
    family("units", units, 8),
    family("dates", dates, 18),
    family("retrieval", retrieval, 36),
    family("field", field, 5),
    family("record", record, 8),
    family("sorting", sorting, 1),
    family("counting", counting, 26),
    family("equation", equation, 14),
    family("larger", larger, 51),
    family("spelling", spelling, 37),
    family("sequence", sequence, 8),
    family("copying", copying, 6),
];

const fn family(name: &'static str, make: fn(&mut Draw, u8) -> Made, null_percent: u32) -> Family {
    Family {
        name,
        version: 1,
        make,
        null_percent,
    }
}

const NAMES: [&str; 16] = [
    "Anna", "Boris", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Irina", "Jonas",
    "Katya", "Leo", "Maria", "Noah", "Olga", "Peter",
];
const THINGS: [&str; 16] = [
    "book", "key", "lamp", "apple", "coin", "map", "ball", "hat", "cup", "ring", "flag", "shoe",
    "bell", "rope", "pen", "drum",
];
const WORDS: [&str; 24] = [
    "apple", "banana", "chair", "table", "river", "stone", "bread", "cloud", "garden", "window",
    "orange", "silver", "forest", "bridge", "candle", "pencil", "market", "summer", "winter",
    "yellow", "rabbit", "island", "hammer", "velvet",
];
const CITIES: [&str; 12] = [
    "Kyiv", "Seoul", "Paris", "Rome", "Vienna", "Busan", "Lviv", "Madrid", "Prague", "Oslo",
    "Dublin", "Athens",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [(&str, u32); 12] = [
    ("January", 31),
    ("February", 28),
    ("March", 31),
    ("April", 30),
    ("May", 31),
    ("June", 30),
    ("July", 31),
    ("August", 31),
    ("September", 30),
    ("October", 31),
    ("November", 30),
    ("December", 31),
];

fn asks_number(prompt: String, answer: i64, options: u32) -> Made {
    Made {
        prompt,
        checker: Checker::Number {
            value: answer.to_string().into_bytes(),
            tolerance: b"0".to_vec(),
        },
        options,
    }
}

fn asks(prompt: String, answer: &str, form: Form, options: u32) -> Made {
    Made {
        prompt,
        checker: Checker::Exact {
            accept: vec![answer.as_bytes().to_vec()],
            form,
        },
        options,
    }
}

fn asks_choice(prompt: String, options: &[&str], right: usize) -> Made {
    Made {
        prompt,
        checker: Checker::Choice {
            options: options.iter().map(|o| o.as_bytes().to_vec()).collect(),
            right: right as u8,
        },
        options: (options.len() as u32).saturating_sub(1).max(2),
    }
}

fn join<T: ToString>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// Operands of sums: one digit, two digits without and with carry, three, four.
fn operands(draw: &mut Draw, level: u8) -> (u32, u32) {
    match level {
        1 => (draw.from_to(1, 9), draw.from_to(1, 9)),
        // No carry: digits that add up to at most nine.
        2 => {
            let (tens, ones) = (draw.from_to(1, 8), draw.below(9));
            let more_tens = draw.from_to(1, 9u32.saturating_sub(tens));
            let more_ones = draw.below(10u32.saturating_sub(ones));
            (
                tens.saturating_mul(10).saturating_add(ones),
                more_tens.saturating_mul(10).saturating_add(more_ones),
            )
        }
        3 => (draw.from_to(10, 99), draw.from_to(10, 99)),
        4 => (draw.from_to(100, 999), draw.from_to(100, 999)),
        _ => (draw.from_to(1_000, 9_999), draw.from_to(1_000, 9_999)),
    }
}

fn addition(draw: &mut Draw, level: u8) -> Made {
    let (a, b) = operands(draw, level);
    let prompt = match draw.below(4) {
        0 => format!("What is {a} + {b}?"),
        1 => format!("What is {a} plus {b}?"),
        2 => format!("Calculate {a} + {b}."),
        _ => format!("What is the sum of {a} and {b}?"),
    };
    asks_number(prompt, i64::from(a).saturating_add(b.into()), 20)
}

fn subtraction(draw: &mut Draw, level: u8) -> Made {
    let (a, b) = operands(draw, level);
    // The larger one first.
    let (a, b) = match level {
        2 => (a.saturating_add(b), b),
        _ => (a.max(b), a.min(b)),
    };
    let prompt = match draw.below(3) {
        0 => format!("What is {a} - {b}?"),
        1 => format!("What is {a} minus {b}?"),
        _ => format!("Calculate {a} - {b}."),
    };
    asks_number(prompt, i64::from(a).saturating_sub(b.into()), 20)
}

fn multiplication(draw: &mut Draw, level: u8) -> Made {
    let (a, b) = match level {
        1 => (draw.from_to(2, 5), draw.from_to(2, 9)),
        2 => (draw.from_to(3, 9), draw.from_to(3, 9)),
        3 => (draw.from_to(11, 19), draw.from_to(3, 9)),
        4 => (draw.from_to(11, 99), draw.from_to(3, 9)),
        _ => (draw.from_to(11, 99), draw.from_to(11, 99)),
    };
    let prompt = match draw.below(2) {
        0 => format!("What is {a} times {b}?"),
        _ => format!("What is {a} * {b}?"),
    };
    asks_number(prompt, i64::from(a).saturating_mul(b.into()), 20)
}

fn units(draw: &mut Draw, level: u8) -> Made {
    const UNITS: [&[(&str, &str, u32)]; 2] = [
        &[
            ("meter", "centimeter", 100),
            ("kilometer", "meter", 1_000),
            ("kilogram", "gram", 1_000),
            ("hour", "minute", 60),
            ("minute", "second", 60),
            ("day", "hour", 24),
            ("week", "day", 7),
        ],
        &[
            ("liter", "milliliter", 1_000),
            ("ton", "kilogram", 1_000),
            ("meter", "millimeter", 1_000),
            ("day", "minute", 1_440),
            ("hour", "second", 3_600),
            ("dozen", "piece", 12),
        ],
    ];
    let table = UNITS
        .get(usize::from(level > 2))
        .copied()
        .unwrap_or_default();
    let (large, small, factor) = table
        .get(draw.below(table.len() as u32) as usize)
        .copied()
        .unwrap_or(("meter", "centimeter", 100));
    let amount = match level {
        1 | 3 => draw.from_to(2, 9),
        2 => draw.from_to(11, 40),
        _ => draw.from_to(11, 99),
    };
    let product = i64::from(amount).saturating_mul(factor.into());
    if level == 5 {
        let prompt = format!("How many {large}s are {product} {small}s?");
        return asks_number(prompt, amount.into(), 10);
    }
    asks_number(
        format!("How many {small}s are {amount} {large}s?"),
        product,
        10,
    )
}

fn dates(draw: &mut Draw, level: u8) -> Made {
    let day = draw.below(7);
    let name = |n: u32| DAYS.get((n % 7) as usize).copied().unwrap_or_default();
    match level {
        1 => {
            let (word, step) = if draw.below(2) == 0 {
                ("after", 1)
            } else {
                ("before", 6)
            };
            let prompt = format!("Which day of the week comes right {word} {}?", name(day));
            asks_choice(prompt, &DAYS, (day.saturating_add(step) % 7) as usize)
        }
        2 | 3 => {
            let days = if level == 2 {
                draw.from_to(2, 6)
            } else {
                draw.from_to(8, 30)
            };
            let prompt = format!(
                "Today is {}. Which day of the week is it in {days} days? Reply with the name of the day.",
                name(day)
            );
            asks_choice(prompt, &DAYS, (day.saturating_add(days) % 7) as usize)
        }
        _ => {
            let month = draw.below(11) as usize;
            let (first, length) = MONTHS.get(month).copied().unwrap_or(("January", 31));
            let (next, _) = MONTHS
                .get(month.saturating_add(1))
                .copied()
                .unwrap_or(("February", 28));
            let date = draw.from_to(15, length);
            let days = draw.from_to(20, 40);
            let reached = date.saturating_add(days);
            let later = reached.saturating_sub(length);
            if level == 4 {
                let to = draw.from_to(1, 20);
                let between = to.saturating_add(length).saturating_sub(date);
                let prompt = format!(
                    "How many days after {first} {date} is {next} {to} of the same year, which is not a leap year?"
                );
                return asks_number(prompt, between.into(), 30);
            }
            // At most 40 days on: never past the end of the next month but one.
            let (after, _) = MONTHS
                .get(month.saturating_add(2))
                .copied()
                .unwrap_or(("January", 31));
            let (_, next_length) = MONTHS
                .get(month.saturating_add(1))
                .copied()
                .unwrap_or(("February", 28));
            let answer = if later <= next_length {
                format!("{next} {later}")
            } else {
                format!("{after} {}", later.saturating_sub(next_length))
            };
            let prompt = format!(
                "Which date is {days} days after {first} {date}, in a year that is not a leap year? Reply like this: Answer: {first} {date}"
            );
            asks(prompt, &answer, Form::Text, 30)
        }
    }
}

fn retrieval(draw: &mut Draw, level: u8) -> Made {
    let count = usize::from(level).saturating_mul(2).saturating_add(1);
    let names = draw.some(&NAMES, count);
    let things = draw.some(&THINGS, count);
    let asked = draw.below(count as u32) as usize;
    let facts: Vec<String> = names
        .iter()
        .zip(&things)
        .map(|(name, thing)| format!("{name} has the {thing}."))
        .collect();
    let thing = things.get(asked).copied().unwrap_or_default();
    let prompt = format!(
        "{}\nWho has the {thing}? Reply with the name only.",
        facts.join(" ")
    );
    asks_choice(prompt, &names, asked)
}

fn field(draw: &mut Draw, level: u8) -> Made {
    let (name, city, thing) = (draw.word(&NAMES), draw.word(&CITIES), draw.word(&THINGS));
    let (word, age) = (draw.word(&WORDS), draw.from_to(20, 79));
    let age = age.to_string();
    let all = [
        ("name", name),
        ("city", city),
        ("age", age.as_str()),
        ("item", thing),
        ("code", word),
        (
            "color",
            draw.word(&["red", "blue", "green", "black", "white", "brown"]),
        ),
    ];
    let count = usize::from(level).saturating_add(1);
    let fields = draw.some(&all, count);
    let (key, value) = fields
        .get(draw.below(fields.len() as u32) as usize)
        .copied()
        .unwrap_or_default();
    let text: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("\"{key}\": \"{value}\""))
        .collect();
    let prompt = format!(
        "{{{}}}\nWhat is the value of \"{key}\"? Reply with the value only.",
        text.join(", ")
    );
    asks(prompt, value, Form::Word, 5)
}

fn record(draw: &mut Draw, level: u8) -> Made {
    let (name, city) = (draw.word(&NAMES), draw.word(&CITIES));
    let (age, count) = (draw.from_to(20, 79), draw.from_to(2, 9));
    let things = draw.some(&THINGS, 3);
    let fields: Vec<(&str, String)> = vec![
        ("name", format!("\"{name}\"")),
        ("age", age.to_string()),
        ("city", format!("\"{city}\"")),
        ("count", count.to_string()),
        (
            "items",
            format!(
                "[{}]",
                things
                    .iter()
                    .map(|t| format!("\"{t}\""))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
    ];
    let taken = fields.get(..usize::from(level)).unwrap_or(&fields);
    let wanted: Vec<String> = taken
        .iter()
        .map(|(key, value)| format!("\"{key}\" is {value}"))
        .collect();
    let required: Vec<String> = taken.iter().map(|(key, _)| format!("\"{key}\"")).collect();
    let constants: Vec<String> = taken
        .iter()
        .map(|(key, value)| format!("\"{key}\":{{\"const\":{value}}}"))
        .collect();
    let schema = format!(
        "{{\"type\":\"object\",\"additionalProperties\":false,\"required\":[{}],\"properties\":{{{}}}}}",
        required.join(","),
        constants.join(",")
    );
    Made {
        prompt: format!(
            "Write a JSON object in which {}. Write only the JSON.",
            wanted.join(" and ")
        ),
        checker: Checker::JsonSchema {
            schema: schema.into_bytes(),
        },
        options: 50,
    }
}

fn sorting(draw: &mut Draw, level: u8) -> Made {
    let count = usize::from(level).saturating_add(2);
    let high = if level < 3 { 20 } else { 99 };
    let mut numbers = draw.numbers(1, high, count);
    let mut sorted = numbers.clone();
    let falling = level > 3;
    if falling {
        sorted.sort_by_key(|n| core::cmp::Reverse(*n));
    } else {
        sorted.sort();
    }
    // Never sorted already: repeating the question would pass.
    if numbers == sorted {
        numbers.reverse();
    }
    let order = if falling {
        "largest to smallest"
    } else {
        "smallest to largest"
    };
    let prompt = format!(
        "Sort these numbers from {order}: {}. Reply with the sorted numbers only.",
        join(&numbers)
    );
    asks(prompt, &join(&sorted), Form::Numbers, 20)
}

fn counting(draw: &mut Draw, level: u8) -> Made {
    let longest = u32::from(level).saturating_mul(2).saturating_add(3);
    let count = draw.from_to(2, longest) as usize;
    if level < 4 {
        let words = draw.some(&WORDS, count);
        let prompt = format!("How many words are in this list: {}?", join(&words));
        return asks_number(prompt, count as i64, 6);
    }
    // A word among others that do not count.
    let (target, other) = match draw.some(&WORDS, 2)[..] {
        [target, other] => (target, other),
        _ => ("apple", "banana"),
    };
    let length = count.saturating_add(draw.from_to(3, 6) as usize);
    let places = draw.some(&(0..length).collect::<Vec<_>>(), count);
    let list: Vec<&str> = (0..length)
        .map(|n| if places.contains(&n) { target } else { other })
        .collect();
    let prompt = format!(
        "How often does \"{target}\" occur in this list: {}?",
        join(&list)
    );
    asks_number(prompt, count as i64, 8)
}

fn equation(draw: &mut Draw, level: u8) -> Made {
    let (x, b) = match level {
        1 => (draw.from_to(1, 9), draw.from_to(1, 9)),
        _ => (draw.from_to(2, 12), draw.from_to(1, 30)),
    };
    let a = draw.from_to(2, 9);
    let c = draw.from_to(1, 5);
    let (x, wide) = (i64::from(x), i64::from);
    let left = wide(a).saturating_mul(x);
    let text = match level {
        1 => format!("x + {b} = {}", x.saturating_add(b.into())),
        2 => format!("{a}x = {left}"),
        3 => format!("{a}x + {b} = {}", left.saturating_add(b.into())),
        4 => format!("{a}x - {b} = {}", left.saturating_sub(b.into())),
        _ => format!(
            "{}x + {b} = {c}x + {}",
            wide(a).saturating_add(c.into()),
            left.saturating_add(b.into())
        ),
    };
    asks_number(
        format!("Solve for x: {text}. Reply like this: x = 1"),
        x,
        15,
    )
}

fn larger(draw: &mut Draw, level: u8) -> Made {
    let (count, high) = match level {
        1 => (2, 99),
        2 => (2, 999),
        3 => (3, 99),
        4 => (4, 999),
        _ => (6, 9_999),
    };
    let numbers = draw.numbers(1, high, count);
    let largest = numbers.iter().max().copied().unwrap_or(0);
    let prompt = format!(
        "Which of these numbers is the largest: {}? Reply with the number only.",
        join(&numbers)
    );
    asks_number(
        prompt,
        largest.into(),
        (count as u32).saturating_sub(1).max(2),
    )
}

fn spelling(draw: &mut Draw, level: u8) -> Made {
    let word = match draw.below(3) {
        0 => draw.word(&CITIES),
        1 => draw.word(&THINGS),
        _ => draw.word(&WORDS),
    };
    let letters: Vec<char> = word.chars().collect();
    let at = |place: usize| letters.get(place).map(char::to_string).unwrap_or_default();
    match level {
        1 => asks(
            format!("What is the first letter of the word \"{word}\"?"),
            &at(0),
            Form::Word,
            10,
        ),
        2 => asks(
            format!("What is the last letter of the word \"{word}\"?"),
            &at(letters.len().saturating_sub(1)),
            Form::Word,
            10,
        ),
        3 => asks(
            format!("What is the third letter of the word \"{word}\"? Reply with the letter only."),
            &at(2),
            Form::Word,
            10,
        ),
        4 => asks_number(
            format!("How many letters does the word \"{word}\" have?"),
            letters.len() as i64,
            5,
        ),
        _ => {
            let reversed: String = letters.iter().rev().collect();
            let prompt = format!("Write the word \"{word}\" backwards. Reply with one word.");
            asks(prompt, &reversed, Form::Word, 50)
        }
    }
}

fn sequence(draw: &mut Draw, level: u8) -> Made {
    let start = draw.from_to(1, 20);
    let step = match level {
        1 => draw.from_to(1, 2),
        2 => draw.from_to(3, 5),
        3 => draw.from_to(6, 12),
        _ => draw.from_to(2, 9),
    };
    let growth = if level == 5 { draw.from_to(1, 3) } else { 0 };
    let (mut value, mut by) = (
        i64::from(start).saturating_add(if level == 4 { 60 } else { 0 }),
        i64::from(step),
    );
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(value);
        value = if level == 4 {
            value.saturating_sub(by)
        } else {
            value.saturating_add(by)
        };
        by = by.saturating_add(growth.into());
    }
    let prompt = format!(
        "Which number comes next: {}, ...? Reply with the number only.",
        join(&numbers)
    );
    asks_number(prompt, value, 15)
}

fn copying(draw: &mut Draw, level: u8) -> Made {
    let words = draw.some(&WORDS, usize::from(level));
    let what = if level == 1 { "word" } else { "words" };
    let prompt = format!("Repeat the {what}: {}", join(&words));
    asks(prompt, &join(&words), Form::List, 20)
}
