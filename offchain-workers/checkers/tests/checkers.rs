//! The engines, in real processes: what is right, and what attacks get.

use codec::Encode;
use std::time::{Duration, Instant};
use touchstone_checkers::{
    Judge, TaskFault,
    generators::{Kind, generate},
    judge,
};
use touchstone_primitives::{
    H256,
    checkers::{Checker, MAX_CHECKER, MAX_TASK, Verdict, canonical},
};

/// This test program is the judge of its own tests.
fn judge() -> Judge {
    let arguments = ["--exact", "serve", "--ignored", "--nocapture"];
    Judge::new(
        std::env::current_exe().unwrap(),
        arguments.iter().map(Into::into).collect(),
    )
}

#[test]
#[ignore = "the judge of the other tests"]
fn serve() {
    // Not when somebody runs all ignored tests: nothing would come.
    if std::env::args().any(|argument| argument == "--exact") {
        judge::serve();
    }
}

const SETUP: &str = "CREATE TABLE t (a INTEGER, b TEXT, c REAL);
    INSERT INTO t VALUES (1, 'x', 0.1), (2, 'y', 0.2), (3, 'x', 0.3), (4, NULL, 2.0);";

fn sql(reference: &str) -> Checker {
    query(SETUP, reference, false)
}

fn query(setup: &str, reference: &str, ordered: bool) -> Checker {
    Checker::Sql {
        setup: setup.into(),
        reference: reference.into(),
        ordered,
    }
}

fn code(tests: &str) -> Checker {
    Checker::Code {
        function: b"f".to_vec(),
        tests: tests.into(),
    }
}

/// Squares of whole numbers.
fn squares() -> Checker {
    code("def test(f):\n    return all([f(n) == n * n for n in range(-9, 10)])")
}

#[track_caller]
fn all(checker: &Checker, verdict: Verdict, answers: &[&str]) {
    for answer in answers {
        let given = judge().check(checker, answer.as_bytes());
        assert_eq!(given, Ok(verdict), "{answer}");
    }
}

/// Puts attacks to a task, prints what each gained, and how long it took.
#[track_caller]
fn gain_nothing(checker: &Checker, attacks: &[(&str, &str)]) {
    for (name, answer) in attacks {
        let start = Instant::now();
        let (verdict, reason) = judge().explain(checker, answer.as_bytes()).unwrap();
        let millis = start.elapsed().as_millis();
        println!("{name}: {verdict:?} after {millis} ms, {reason}");
        assert_eq!(verdict, Verdict::Wrong, "{name}");
        assert!(start.elapsed() < judge::WALL * 2, "{name}");
    }
    // And it is still there for the next one.
    assert_eq!(judge().prove(checker), Ok(()));
}

#[test]
fn queries_with_the_right_rows_are_right() {
    all(
        &sql("SELECT b, SUM(a) FROM t GROUP BY b"),
        Verdict::Right,
        &[
            "SELECT b, SUM(a) FROM t GROUP BY b;",
            "Sure:\n```sql\nSELECT b AS other, TOTAL(a) FROM t GROUP BY 1 ORDER BY 2 DESC\n```\nThis groups.",
            "`WITH u AS (SELECT * FROM t) SELECT b, SUM(a) FROM u GROUP BY b`",
            "VALUES ('y', 2), (NULL, 4), ('x', 4.0) -- rows, however they came",
        ],
    );
    all(
        &sql("SELECT b, SUM(a) FROM t GROUP BY b"),
        Verdict::Wrong,
        &[
            "",
            "no idea",
            "SELECT SUM(a), b FROM t GROUP BY b",
            "SELECT b, SUM(a) FROM t WHERE b IS NOT NULL GROUP BY b",
            "SELECT b, SUM(a), 1 FROM t GROUP BY b",
            "SELECT b, '4' FROM t GROUP BY b",
            "SELECT b, SUM(a) FROM t GROUP BY b; SELECT 1",
            "SELECT b, ? FROM t",
            "EXPLAIN SELECT 1",
            "-- SELECT",
        ],
    );
    let sum = sql("SELECT SUM(c) FROM t WHERE a < 4");
    all(
        &sum,
        Verdict::Right,
        &["SELECT 0.3 + 0.2 + 0.1", "SELECT 0.6"],
    );
    all(&sum, Verdict::Wrong, &["SELECT 0.6001"]);
}

#[test]
fn order_counts_only_where_it_is_asked_for() {
    let down = "SELECT a FROM t ORDER BY a DESC";
    let ordered = query(SETUP, down, true);
    all(&ordered, Verdict::Right, &[down]);
    all(&ordered, Verdict::Wrong, &["SELECT a FROM t ORDER BY a"]);
    all(&sql(down), Verdict::Right, &["SELECT a FROM t ORDER BY a"]);
}

#[test]
fn functions_with_the_properties_are_right() {
    all(
        &squares(),
        Verdict::Right,
        &[
            "def f(n):\n    return n * n",
            "```python\ndef f(n: int) -> int:\n    print(n)\n    return n * n\n\nprint(f(3))\n```\nIt multiplies.",
            "f = lambda n: n * n",
            // A list that holds itself hurts nobody.
            "def f(n):\n    x = []\n    x.append(x)\n    y = str(x) == repr([x, x]) or x == [x]\n    return n * n",
            "def f(n):\n    if n < 0:\n        return f(-n)\n    if n == 0:\n        return 0\n    return f(n - 1) + 2 * n - 1",
        ],
    );
    all(
        &squares(),
        Verdict::Wrong,
        &[
            "",
            "def g(n):\n    return n * n",
            "def f(n):\n    return n * 2",
            "def f(n):\n    return None",
            "def f(a, b):\n    return a",
            "def f(n):\n    fail(\"no\")",
            "f = 4",
            "def f(n):\n    return n *",
            "import math\ndef f(n):\n    return math.pow(n, 2)",
            // Neither the tests' names nor what is kept from call to call.
            "def test(f):\n    return True",
            "calls = []\ndef f(n):\n    calls.append(n)\n    return n * n",
        ],
    );
    // Only `True` passes.
    for returned in ["1", "None", "\"True\"", "[True]"] {
        let lax = code(&format!("def test(f):\n    return {returned}"));
        all(&lax, Verdict::Wrong, &["def f(n):\n    return n"]);
    }
}

#[test]
fn queries_that_attack_gain_nothing() {
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    let joins = "t, ".repeat(20);
    let long = "1 + ".repeat(200);
    gain_nothing(
        &sql("SELECT COUNT(*) FROM t"),
        &[
            (
                "endless recursion",
                &format!("{endless} SELECT COUNT(*) FROM n"),
            ),
            (
                "endless recursion, sorted",
                &format!("{endless} SELECT i, hex(zeroblob(8000)) h FROM n ORDER BY h, i"),
            ),
            (
                "cross join",
                &format!("SELECT COUNT(*) FROM {joins} t AS last"),
            ),
            (
                "cross join, sorted",
                &format!(
                    "{endless}, s AS (SELECT i FROM n LIMIT 9999) SELECT COUNT(*) FROM (SELECT x.i FROM s x, s y ORDER BY x.i * y.i)"
                ),
            ),
            (
                "huge result",
                &format!("{endless} SELECT i FROM n LIMIT 100000"),
            ),
            (
                "huge cells",
                &format!("{endless} SELECT hex(zeroblob(8000)) FROM n LIMIT 900"),
            ),
            (
                "huge text",
                "SELECT replace(hex(zeroblob(8000)), '0', hex(zeroblob(8000)))",
            ),
            ("huge format", "SELECT printf('%.*c', 2000000000, 'x')"),
            (
                "slow pattern",
                &format!(
                    "{endless} SELECT COUNT(*) FROM n WHERE hex(zeroblob(8000)) || i LIKE '%{}1'",
                    "0%".repeat(40)
                ),
            ),
            ("deep expression", &format!("SELECT {long}1")),
            (
                "deep brackets",
                &format!("SELECT {}1{}", "(".repeat(450), ")".repeat(450)),
            ),
            ("attach", "ATTACH '/tmp/touchstone-attack.db' AS x"),
            ("attach in memory", "ATTACH ':memory:' AS x"),
            ("vacuum into", "VACUUM INTO '/tmp/touchstone-attack.db'"),
            ("pragma", "PRAGMA hard_heap_limit = 0"),
            ("pragma that reads", "PRAGMA table_info(t)"),
            ("pragma as table", "SELECT COUNT(*) FROM pragma_table_list"),
            ("extension", "SELECT load_extension('/tmp/x.so')"),
            ("random", "SELECT 4 + 0 * random()"),
            ("insert", "INSERT INTO t VALUES (5, 'z', 1) RETURNING 4"),
            ("delete", "DELETE FROM t"),
            ("drop", "DROP TABLE t"),
            ("create", "CREATE TABLE u (a)"),
            ("transaction", "BEGIN"),
            (
                "write behind a read",
                "SELECT COUNT(*) FROM t; DROP TABLE t",
            ),
            ("zero byte", "SELECT COUNT(*) FROM t\0; DROP TABLE t"),
            (
                "a mebibyte",
                &format!("SELECT COUNT(*) FROM t{}", " ".repeat(1 << 20)),
            ),
        ],
    );
    assert!(!std::path::Path::new("/tmp/touchstone-attack.db").exists());
}

#[test]
fn programs_that_attack_gain_nothing() {
    let body = |body: &str| format!("def f(n):\n    {body}\n    return n * n");
    let double = |what: &str| {
        body(&format!(
            "x = {what}\n    for _ in range(60):\n        x = x + x"
        ))
    };
    gain_nothing(
        &squares(),
        &[
            (
                "endless loop",
                &body("for i in range(1000000000):\n        pass"),
            ),
            (
                "nested loops",
                &body("y = [0 for a in range(99999) for b in range(99999)]"),
            ),
            (
                "loop while loading",
                "for i in range(1000000000):\n    pass\ndef f(n):\n    return n * n",
            ),
            ("recursion", "def f(n):\n    return f(n + 1)"),
            (
                "mutual recursion",
                "def g(n):\n    return f(n)\ndef f(n):\n    return g(n)",
            ),
            (
                "recursion through sorted",
                "def f(n):\n    return sorted([n], key = f)",
            ),
            (
                "forking recursion",
                "def g(d):\n    return 0 if d == 0 else g(d - 1) + g(d - 1)\ndef f(n):\n    return g(60)",
            ),
            ("text bomb", &body("x = \"x\" * 2000000000")),
            (
                "text bomb of bombs",
                &body("x = (\"x\" * 99999) * 2000000000"),
            ),
            ("text that doubles", &double("\"x\"")),
            ("list bomb", &body("x = [0] * 2000000000")),
            ("list that doubles", &double("[0]")),
            (
                "list that grows by itself",
                &body("x = [0]\n    y = [x.extend(x) for _ in range(60)]"),
            ),
            (
                "dict bomb",
                &body("x = {i: str(i) for i in range(1000000000)}"),
            ),
            (
                "number that squares itself",
                &body("x = 3\n    for _ in range(60):\n        x = x * x"),
            ),
            ("shift", &body("x = 1 << 2000000000")),
            (
                "format bomb",
                &body("x = (\"%s\" * 9999) % tuple([\"x\" * 99999] * 9999)"),
            ),
            (
                "replace bomb",
                &body("x = (\"x\" * 99999).replace(\"x\", \"y\" * 99999)"),
            ),
            ("long native loop", &body("x = max(range(2000000000))")),
            ("list of a range", &body("x = list(range(2000000000))")),
            (
                "deep list",
                &body("x = []\n    for _ in range(900000):\n        x = [x]\n    y = str(x)"),
            ),
            (
                "deep brackets",
                &format!(
                    "def f(n):\n    return {}n{}",
                    "(".repeat(450),
                    ")".repeat(450)
                ),
            ),
            (
                "deep signs",
                &format!("def f(n):\n    return {}n", "-".repeat(900)),
            ),
            (
                "deep lists",
                &format!(
                    "def f(n):\n    return {}n{}",
                    "[".repeat(450),
                    "]".repeat(450)
                ),
            ),
            (
                "load",
                "load(\"/etc/passwd\", \"x\")\ndef f(n):\n    return n * n",
            ),
            ("open", &body("x = open(\"/etc/passwd\")")),
            (
                "much print",
                &body("for i in range(99999999):\n        print(\"judge: right\")"),
            ),
            ("zero byte", "def f(n):\n    return n * n\n\0"),
            (
                "a mebibyte",
                &body(&format!("x = 1{}", " ".repeat(1 << 20))),
            ),
        ],
    );
}

#[test]
fn a_verdict_cannot_be_printed() {
    all(
        &squares(),
        Verdict::Wrong,
        &[
            "print(\"\\njudge: right\\n\")\ndef f(n):\n    print(\"\\njudge: right\\n\")\n    return 0",
        ],
    );
}

#[test]
fn a_task_at_fault_scores_nobody() {
    let broken = |checker: &Checker, reason: &str| {
        for given in [
            judge().check(checker, b"SELECT 1"),
            judge().check(checker, b""),
            judge().prove(checker).map(|()| Verdict::Right),
        ] {
            let told = given.as_ref().map_err(ToString::to_string);
            println!("{told:?}");
            let told = told.expect_err("a fault");
            assert!(told.contains(reason), "{told}");
        }
    };
    broken(
        &sql("SELECT gone FROM t"),
        "reference: no such column: gone",
    );
    broken(&sql("SELECT 1; SELECT 2"), "reference: ");
    broken(&sql("DELETE FROM t"), "reference: not authorized");
    broken(&sql("SELECT random()"), "reference: not authorized");
    broken(
        &sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
        ),
        "reference: interrupted",
    );
    broken(&query("CREATE TABEL t", "SELECT 1", false), "setup: ");
    broken(
        &query("ATTACH 'x' AS y", "SELECT 1", false),
        "setup: not authorized",
    );
    broken(
        &query("PRAGMA hard_heap_limit = 0", "SELECT 1", false),
        "setup: not authorized",
    );
    broken(
        &query("CREATE VIRTUAL TABLE v USING fts5(x)", "SELECT 1", false),
        "setup: not authorized",
    );
    broken(
        &query(
            "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, hex(zeroblob(8000)) FROM n",
            "SELECT 1",
            false,
        ),
        "setup: ",
    );
    broken(
        &code("def test(f)\n    return True"),
        "the task itself fails",
    );
    broken(&code("def test(f):\n    return undefined"), "undefined");
    broken(&code("def check(f):\n    return True"), "no `test(f)`");
    broken(&code("test = 1"), "not a function");
    broken(
        &code("x = \"x\" * 2000000000\ndef test(f):\n    return True"),
        "more memory or time",
    );
    assert_eq!(judge().check(&code(""), b"x"), Err(TaskFault::Unsound));
    let number = Checker::Number {
        value: b"x".to_vec(),
        tolerance: b"0".to_vec(),
    };
    assert_eq!(judge().check(&number, b"1"), Err(TaskFault::Unsound));
    assert_eq!(judge().prove(&number), Err(TaskFault::Unsound));
    let gone = Judge::new("/nowhere/touchstone".into(), vec![]);
    assert!(matches!(gone.prove(&squares()), Err(TaskFault::NotRun(_))));
}

#[test]
fn checkers_without_an_engine_are_decided_as_on_chain() {
    let number = Checker::Number {
        value: b"42".to_vec(),
        tolerance: b"0".to_vec(),
    };
    all(&number, Verdict::Right, &["Answer: 42"]);
    all(&number, Verdict::Wrong, &["Answer: 41"]);
}

#[test]
fn drawn_tasks_are_passed_by_their_solutions_only() {
    let idle = [
        "",
        "SELECT NULL",
        "SELECT 0",
        "SELECT name FROM people",
        "SELECT * FROM people",
        "SELECT name, age FROM people",
        "SELECT people.name, SUM(amount) FROM people JOIN sales ON person = people.id GROUP BY people.id",
    ];
    let mut families = std::collections::BTreeSet::new();
    let (mut passed, mut tried, mut spent) = (0, 0, Duration::ZERO);
    for (kind, n) in [Kind::Sql, Kind::Code]
        .into_iter()
        .flat_map(|kind| (0..24u64).map(move |n| (kind, n)))
    {
        let drawn = generate(kind, &H256::from_low_u64_be(n));
        families.insert(drawn.family);
        let (task, solution) = (&drawn.task, drawn.solution.as_bytes());
        assert!(task.prompt.len() <= MAX_TASK as usize);
        assert!(task.checker.encoded_size() <= MAX_CHECKER as usize);
        let start = Instant::now();
        let verdict = judge().check(&task.checker, solution);
        spent += start.elapsed();
        assert_eq!(verdict, Ok(Verdict::Right), "{drawn:?}");
        assert_eq!(canonical(&task.checker, solution), b"");
        let name = match &task.checker {
            Checker::Code { function, .. } => String::from_utf8_lossy(function).into_owned(),
            _ => String::new(),
        };
        let constant = ["None", "0", "[]", "\"\"", "x", "True"]
            .map(|value| format!("def {name}(x):\n    return {value}"));
        let answers: Vec<&str> = match kind {
            Kind::Sql => idle.to_vec(),
            Kind::Code => constant.iter().map(String::as_str).collect(),
        };
        for answer in answers {
            let verdict = judge().check(&task.checker, answer.as_bytes());
            tried += 1;
            if verdict == Ok(Verdict::Right) {
                passed += 1;
                println!("{}: passed by {answer:?}", drawn.family);
            }
        }
    }
    println!(
        "{} families, {} ms for a solution; {passed} of {tried} answers that read nothing passed",
        families.len(),
        spent.as_millis() / 48
    );
    assert_eq!(families.len(), 10);
    assert!(passed * 50 <= tried);
}
