//! Tasks for the two engines, drawn from a seed: SQL over tables that nobody is shown the rows of, and small functions with properties.
//!
//! | family | level | what is asked |
//! |---|---|---|
//! | `sql_where` | 1 | rows that meet two conditions |
//! | `sql_group` | 2 | sums by group |
//! | `sql_top` | 2 | the largest few, in order |
//! | `sql_missing` | 3 | rows of one table without any in another |
//! | `sql_join` | 4 | sums over two tables, also where there is nothing to add |
//! | `code_multiples` | 1 | sum of the numbers that a number divides |
//! | `code_words` | 1 | words in reverse order |
//! | `code_digits` | 2 | sum of digits |
//! | `code_order` | 3 | sorted by last digit |
//! | `code_runs` | 4 | run lengths |
//!
//! The tests of functions are properties ("the sum over two lists is the sum of both sums"), so that they say what is right without
//! repeating a solution. The runtime does not draw these tasks: it could not check the answers.

use touchstone_primitives::{
    H256,
    checkers::Checker,
    fixed::Fixed,
    generators::{Draw, LEVELS, Task},
    tagged_hash,
};

/// Which engine a task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A query.
    Sql,
    /// A function in Starlark.
    Code,
}

/// A task, and an answer that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Name of its family.
    pub family: &'static str,
    /// The task.
    pub task: Task,
    /// A program that passes.
    pub solution: String,
}

struct Family {
    name: &'static str,
    level: u8,
    make: fn(&mut Draw) -> Made,
}

struct Made {
    prompt: String,
    checker: Checker,
    solution: String,
}

const fn family(name: &'static str, level: u8, make: fn(&mut Draw) -> Made) -> Family {
    Family { name, level, make }
}

const SQL: [Family; 5] = [
    family("sql_where", 1, sql_where),
    family("sql_group", 2, sql_group),
    family("sql_top", 2, sql_top),
    family("sql_missing", 3, sql_missing),
    family("sql_join", 4, sql_join),
];

const CODE: [Family; 5] = [
    family("code_multiples", 1, code_multiples),
    family("code_words", 1, code_words),
    family("code_digits", 2, code_digits),
    family("code_order", 3, code_order),
    family("code_runs", 4, code_runs),
];

/// The task of a seed.
///
/// ```
/// use touchstone_checkers::generators::{Kind, generate};
/// let seed = Default::default();
/// assert_eq!(generate(Kind::Sql, &seed), generate(Kind::Sql, &seed));
/// ```
pub fn generate(kind: Kind, seed: &H256) -> Generated {
    let families = match kind {
        Kind::Sql => &SQL,
        Kind::Code => &CODE,
    };
    let id = |name: &str| tagged_hash("touchstone/family/engine/1", &[name.as_bytes()]);
    let place = Draw::new(&id(&format!("{kind:?}")), 0, seed).below(families.len() as u32);
    let family = &families[place as usize];
    let made = (family.make)(&mut Draw::new(&id(family.name), family.level, seed));
    Generated {
        family: family.name,
        task: Task {
            prompt: made.prompt,
            checker: made.checker,
            // Wrong programs are not compared, so this only has to be large.
            options: 1_000,
            difficulty: Fixed::ratio(family.level.into(), LEVELS.into()),
        },
        solution: made.solution,
    }
}

const NAMES: [&str; 12] = [
    "Anna", "Boris", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Irina", "Jonas",
    "Katya", "Leo",
];
const CITIES: [&str; 6] = ["Kyiv", "Seoul", "Paris", "Rome", "Oslo", "Busan"];
const THINGS: [&str; 6] = ["book", "lamp", "coin", "map", "drum", "pen"];
const WORDS: [&str; 12] = [
    "apple", "chair", "river", "stone", "bread", "cloud", "orange", "silver", "bridge", "candle",
    "winter", "rabbit",
];

const PEOPLE: &str = "CREATE TABLE people (id INTEGER, name TEXT, city TEXT, age INTEGER);";
const SALES: &str = "CREATE TABLE sales (person INTEGER, thing TEXT, amount INTEGER);";

/// People with different names and ages, at least one of each of three cities.
fn people(draw: &mut Draw) -> (String, Vec<(&'static str, u32)>) {
    let count = draw.from_to(7, 10) as usize;
    let (names, cities) = (draw.some(&NAMES, count), draw.some(&CITIES, 3));
    let ages = draw.numbers(18, 80, count);
    let rows: Vec<(&str, u32)> = names
        .iter()
        .enumerate()
        .map(|(n, _)| {
            let place = if n < 3 { n } else { draw.below(3) as usize };
            (cities[place], ages[n])
        })
        .collect();
    let values: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(n, (city, age))| format!("({}, '{}', '{city}', {age})", n + 1, names[n]))
        .collect();
    let insert = format!("{PEOPLE}\nINSERT INTO people VALUES {};", values.join(", "));
    (insert, rows)
}

/// Sales of all but the last three people, with different amounts.
fn sales(draw: &mut Draw, people: usize) -> String {
    let count = draw.from_to(8, 14) as usize;
    let sellers = people.saturating_sub(3) as u32;
    let values: Vec<String> = draw
        .numbers(5, 200, count)
        .into_iter()
        .map(|amount| {
            let person = draw.from_to(1, sellers);
            format!("({person}, '{}', {amount})", draw.word(&THINGS))
        })
        .collect();
    format!("{SALES}\nINSERT INTO sales VALUES {};", values.join(", "))
}

fn query(
    tables: &[&str],
    question: String,
    setup: String,
    reference: String,
    ordered: bool,
) -> Made {
    let prompt = format!(
        "There are these tables in SQLite:\n{}\n{question} Reply with one SQL query and nothing else.",
        tables.join("\n")
    );
    Made {
        prompt,
        checker: Checker::Sql {
            setup: setup.into_bytes(),
            reference: reference.clone().into_bytes(),
            ordered,
        },
        solution: reference,
    }
}

fn sql_where(draw: &mut Draw) -> Made {
    let (setup, rows) = people(draw);
    // Somebody's own age: "at least" and "more than" differ.
    let (city, age) = rows[draw.below(rows.len() as u32) as usize];
    query(
        &[PEOPLE],
        format!(
            "Which names do the people have who live in {city} and are at least {age} years old?"
        ),
        setup,
        format!("SELECT name FROM people WHERE city = '{city}' AND age >= {age}"),
        false,
    )
}

fn sql_group(draw: &mut Draw) -> Made {
    let (column, what) = draw
        .pick(&[
            &("MAX(age)", "the largest age"),
            &("SUM(age)", "the sum of ages"),
        ])
        .copied()
        .unwrap_or_default();
    query(
        &[PEOPLE],
        format!(
            "Give, for each city, the city, the number of people there and {what}, as three columns."
        ),
        people(draw).0,
        format!("SELECT city, COUNT(*), {column} FROM people GROUP BY city"),
        false,
    )
}

fn sql_top(draw: &mut Draw) -> Made {
    let count = draw.from_to(2, 4);
    let (word, order) = draw
        .pick(&[&("oldest", "DESC"), &("youngest", "ASC")])
        .copied()
        .unwrap_or_default();
    query(
        &[PEOPLE],
        format!("Give name and age of the {count} {word} people, the {word} first."),
        people(draw).0,
        format!("SELECT name, age FROM people ORDER BY age {order} LIMIT {count}"),
        true,
    )
}

fn sql_missing(draw: &mut Draw) -> Made {
    let (setup, rows) = people(draw);
    let sales = sales(draw, rows.len());
    query(
        &[PEOPLE, SALES],
        "Column person of sales is an id of people. Which names do the people have who sold nothing?".into(),
        format!("{setup}\n{sales}"),
        "SELECT name FROM people WHERE id NOT IN (SELECT person FROM sales)".into(),
        false,
    )
}

fn sql_join(draw: &mut Draw) -> Made {
    let (setup, rows) = people(draw);
    let sales = sales(draw, rows.len());
    query(
        &[PEOPLE, SALES],
        "Column person of sales is an id of people. Give the name of every person and the sum of the amounts they sold, 0 for those \
         who sold nothing."
            .into(),
        format!("{setup}\n{sales}"),
        "SELECT name, COALESCE(SUM(amount), 0) FROM people LEFT JOIN sales ON person = people.id GROUP BY people.id, name".into(),
        false,
    )
}

fn function(name: &str, question: String, tests: String, solution: &str) -> Made {
    let prompt = format!(
        "Write a function in Starlark (Python without while, import, classes and sum; text.elems() gives the letters of a text): {question} \
         Reply with the code only."
    );
    Made {
        prompt,
        checker: Checker::Code {
            function: name.as_bytes().to_vec(),
            tests: tests.into_bytes(),
        },
        solution: solution.to_owned(),
    }
}

fn code_multiples(draw: &mut Draw) -> Made {
    let by = draw.from_to(3, 9);
    let (left, right) = (draw.numbers(1, 99, 8), draw.numbers(1, 99, 8));
    function(
        "multiples",
        format!("multiples(numbers) returns the sum of those numbers of a list that {by} divides."),
        format!(
            "def test(f):
    left, right = {left:?}, {right:?}
    for n in left + right:
        if f([n * {by}]) != n * {by} or f([n * {by} + 1]) != 0:
            return False
    return f([]) == 0 and f(left + right) == f(left) + f(right)
"
        ),
        &format!(
            "def multiples(numbers):
    total = 0
    for n in numbers:
        if n % {by} == 0:
            total += n
    return total
"
        ),
    )
}

fn code_words(draw: &mut Draw) -> Made {
    let words = draw.some(&WORDS, 6);
    function(
        "backwards",
        "backwards(text) returns the words of a text in reverse order, with one blank between them.".into(),
        format!(
            "def test(f):
    words = {words:?}
    for n in range(1, len(words)):
        left, right = \" \".join(words[:n]), \" \".join(words[n:])
        if f(left + \" \" + right) != f(right) + \" \" + f(left):
            return False
    return all([f(word) == word for word in words])
"
        ),
        "def backwards(text):
    return \" \".join(reversed(text.split()))
",
    )
}

fn code_digits(draw: &mut Draw) -> Made {
    let numbers = draw.numbers(10, 9_999, 8);
    function(
        "digits",
        "digits(n) returns the sum of the digits of a whole number that is not negative.".into(),
        format!(
            "def test(f):
    for n in {numbers:?}:
        for d in range(10):
            if f(10 * n + d) != f(n) + d:
                return False
    return all([f(d) == d for d in range(10)])
"
        ),
        "def digits(n):
    total = 0
    for d in str(n).elems():
        total += int(d)
    return total
",
    )
}

fn code_order(draw: &mut Draw) -> Made {
    let numbers = draw.numbers(10, 99, 12);
    function(
        "order",
        "order(numbers) returns a list of whole numbers sorted by their last digit, those with the same last digit from small to large.".into(),
        format!(
            "def test(f):
    numbers = {numbers:?}
    for n in range(len(numbers) + 1):
        found = f(numbers[:n])
        if sorted(found) != sorted(numbers[:n]):
            return False
        for a, b in zip(found, found[1:]):
            if (a % 10, a) > (b % 10, b):
                return False
    return True
"
        ),
        "def order(numbers):
    return sorted(numbers, key = lambda n: (n % 10, n))
",
    )
}

fn code_runs(draw: &mut Draw) -> Made {
    let texts: Vec<String> = (0..5)
        .map(|_| {
            (0..draw.from_to(2, 6))
                .map(|_| {
                    draw.word(&["a", "b", "c"])
                        .repeat(draw.from_to(1, 4) as usize)
                })
                .collect()
        })
        .collect();
    function(
        "runs",
        "runs(text) returns a list of the runs of equal letters, each as a list of the letter and its count: \
         runs(\"aab\") is [[\"a\", 2], [\"b\", 1]]."
            .into(),
        format!(
            "def test(f):
    for text in {texts:?}:
        found = f(text)
        if \"\".join([letter * count for letter, count in found]) != text:
            return False
        if any([len(letter) != 1 or count < 1 for letter, count in found]):
            return False
        if any([a[0] == b[0] for a, b in zip(found, found[1:])]):
            return False
    return f(\"\") == []
"
        ),
        "def runs(text):
    found = []
    for letter in text.elems():
        if found and found[-1][0] == letter:
            found[-1][1] += 1
        else:
            found.append([letter, 1])
    return found
",
    )
}
