use super::{calc::NoValue, *};
use alloc::{format, vec};
use proptest::prelude::*;

fn number(value: &str) -> Checker {
    Checker::Number {
        value: value.into(),
        tolerance: b"0".to_vec(),
    }
}

fn exact(text: &str, form: Form) -> Checker {
    Checker::Exact {
        accept: vec![text.into()],
        form,
    }
}

fn sql(setup: &str, reference: &str) -> Checker {
    Checker::Sql {
        setup: setup.into(),
        reference: reference.into(),
        ordered: false,
    }
}

fn code(function: &str, tests: &str) -> Checker {
    Checker::Code {
        function: function.into(),
        tests: tests.into(),
    }
}

fn schema(text: &str) -> Checker {
    Checker::JsonSchema {
        schema: text.into(),
    }
}

fn all(checker: &Checker, verdict: Verdict, answers: &[&str]) {
    for answer in answers {
        assert_eq!(check(checker, answer.as_bytes()), verdict, "{answer:?}");
    }
}

#[test]
fn honest_phrasings_of_a_number_pass() {
    all(
        &number("42"),
        Verdict::Right,
        &[
            "42",
            "42.",
            "42.0",
            "Answer: 42",
            "answer:42",
            "**Answer:** 42",
            "The answer is **42**.",
            "The answer is: 42 apples, in 6 rows.",
            "Final answer: \\boxed{42}",
            "Let me think. 6 * 7 = 42",
            "6 times 7 is 42.",
            "12 + 30 = 42 apples in 3 rows",
            "#### 42",
            "<answer>42</answer>",
            "Answer:\n42",
            "12 + 30 = 42, so the answer is 42",
            "$42",
            "It costs 42 dollars",
            "Answer: 84/2",
        ],
    );
    all(
        &number("1234"),
        Verdict::Right,
        &["1,234", "The total is 1,234.", "1234.00"],
    );
    all(
        &number("-5"),
        Verdict::Right,
        &["-5", "x = -5", "3 - 8 = -5", "Answer: \u{2212}5"],
    );
}

#[test]
fn a_list_of_guesses_does_not_pass() {
    all(
        &number("42"),
        Verdict::Wrong,
        &[
            "",
            "no idea",
            "41 or 42 or 43",
            "Answer: 41, 42, 43",
            "Answer: 42\nAnswer: 43",
            "42 = 41",
            "42 43",
            "420",
            "4 2",
            "x42",
            "Answer: 3\n42",
        ],
    );
    all(
        &exact("paris", Form::Word),
        Verdict::Wrong,
        &["Paris or London", "Answer: London, Paris", "", "Parisian"],
    );
}

#[test]
fn a_tolerance_is_exact() {
    let checker = Checker::Number {
        value: b"1/3".to_vec(),
        tolerance: b"0.01".to_vec(),
    };
    all(&checker, Verdict::Right, &["0.33", "1/3", "0.343333333"]);
    all(&checker, Verdict::Wrong, &["0.32", "0.3434", "-0.33"]);
}

#[test]
fn words_texts_lists_and_sets_are_compared_in_their_form() {
    all(
        &exact("Paris", Form::Word),
        Verdict::Right,
        &[
            "Paris",
            "paris.",
            "The capital of France is Paris.",
            "Answer: **Paris**, of course",
            "\"Paris\"",
        ],
    );
    all(
        &exact("New York", Form::Text),
        Verdict::Right,
        &[
            "New York",
            "new  york.",
            "Well.\nAnswer: New York!",
            "Hm,\nNew York",
        ],
    );
    all(
        &exact("New York", Form::Text),
        Verdict::Wrong,
        &["York", "New York City"],
    );
    let list = exact("3, 5, 9", Form::List);
    all(
        &list,
        Verdict::Right,
        &[
            "3 5 9",
            "3, 5, and 9.",
            "Answer: [3, 5, 9]",
            "Sorted:\n3,5,9",
        ],
    );
    all(&list, Verdict::Wrong, &["5, 3, 9", "3, 5", "3, 5, 9, 12"]);
    let set = exact("a, b", Form::Set);
    all(&set, Verdict::Right, &["b, a", "A and B", "a a b"]);
    all(&set, Verdict::Wrong, &["a", "a, b, c"]);
}

#[test]
fn a_choice_is_the_option_that_is_named() {
    let checker = Checker::Choice {
        options: vec![b"Anna".to_vec(), b"Ann".to_vec(), b"Hugo".to_vec()],
        right: 2,
    };
    all(
        &checker,
        Verdict::Right,
        &[
            "Hugo",
            "hugo has the drum.",
            "It is not Anna, it is Hugo.",
            "Answer: Hugo, not Anna",
        ],
    );
    all(
        &checker,
        Verdict::Wrong,
        &["", "Hugos", "Hugo or Ann", "Answer: Anna or Hugo", "Peter"],
    );
    assert_eq!(canonical(&checker, b"Well, anna."), b"Anna");
    let unsound = Checker::Choice {
        options: vec![b"a".to_vec(), b"a".to_vec()],
        right: 0,
    };
    assert_eq!(check(&unsound, b"a"), Verdict::Void);
}

#[test]
fn numbers_are_read_in_order_from_their_line() {
    let checker = exact("1, 2, 7", Form::Numbers);
    all(
        &checker,
        Verdict::Right,
        &[
            "1 2 7",
            "Sorted:\nThe numbers are 1, 2, and 7.\n\nThe list was 2, 7, 1.",
            "Answer: [1, 2, 7]",
        ],
    );
    all(&checker, Verdict::Wrong, &["", "2, 7, 1", "1, 2, 7, 9"]);
}

#[test]
fn expressions_are_computed_exactly() {
    let value = |text: &str| calc::evaluate(text.as_bytes()).map(|v| v.to_string());
    assert_eq!(value("(12 + 30) * 2 / 7"), Ok("12".into()));
    assert_eq!(value("1/3 + 1/6"), Ok("1/2".into()));
    assert_eq!(value("2^10 - -24"), Ok("1048".into()));
    assert_eq!(value("0.1 + 0.2"), Ok("3/10".into()));
    assert_eq!(value("7 - 2 - 1"), Ok("4".into()));
    assert_eq!(value("1 / 0"), Err(NoValue::Range));
    assert_eq!(value("10^64 * 10^64 * 10^64"), Err(NoValue::Range));
    assert_eq!(value("2^65"), Err(NoValue::Range));
    assert_eq!(value(&"(".repeat(17)), Err(NoValue::TooBig));
    assert_eq!(
        value(&format!("1{}", "+1".repeat(40))),
        Err(NoValue::TooBig)
    );
    for bad in ["", "1 +", "(1", "1)", "a", "1 2", "1..2", "*1"] {
        assert_eq!(value(bad), Err(NoValue::Syntax), "{bad}");
    }
    let checker = Checker::Calc {
        expression: b"1 / 8".to_vec(),
    };
    all(
        &checker,
        Verdict::Right,
        &["0.125", "1/8", "The answer is 0.125"],
    );
    all(&checker, Verdict::Wrong, &["0.12", "8"]);
}

#[test]
fn json_is_checked_against_the_subset() {
    let checker = schema(
        r#"{"type":"object","required":["name","age"],"additionalProperties":false,"properties":{
        "name":{"const":"Ana"},"age":{"type":"integer","minimum":0,"maximum":150},
        "tags":{"type":"array","items":{"enum":["a","b"]},"maxItems":2}}}"#,
    );
    all(
        &checker,
        Verdict::Right,
        &[
            r#"{"name":"Ana","age":30}"#,
            "Here it is:\n```json\n{\"age\": 30.0, \"name\": \"\\u0041na\", \"tags\": [\"a\"]}\n```",
            r#"Answer: {"name":"Ana","age":30}"#,
            "Answer:\n{\n\"name\":\"Ana\",\n\"age\":30}",
        ],
    );
    all(
        &checker,
        Verdict::Wrong,
        &[
            "",
            r#"{"name":"Ana"}"#,
            r#"{"name":"Ana","age":151}"#,
            r#"{"name":"Ana","age":1.5}"#,
            r#"{"name":"Ana","age":1,"more":0}"#,
            r#"{"name":"Ana","age":1,"age":2}"#,
            r#"{"name":"Ana","age":1,"tags":["a","b","a"]}"#,
            r#"{"name":"Ana","age":1"#,
        ],
    );
}

#[test]
fn what_a_schema_cannot_express_makes_it_void() {
    for bad in [
        "",
        "[]",
        r#"{"pattern":"a*"}"#,
        r##"{"$ref":"#"}"##,
        r#"{"type":"date"}"#,
        r#"{"anyOf":[{}]}"#,
        r#"{"minLength":-1}"#,
    ] {
        assert!(!is_sound(&schema(bad)), "{bad}");
        assert_eq!(check(&schema(bad), b"{}"), Verdict::Void, "{bad}");
    }
}

#[test]
fn broken_and_panel_checkers_are_void() {
    for checker in [
        number("forty"),
        Checker::Number {
            value: b"1".to_vec(),
            tolerance: b"-1".to_vec(),
        },
        exact("", Form::Word),
        Checker::Exact {
            accept: vec![],
            form: Form::Text,
        },
        Checker::Calc {
            expression: b"1/0".to_vec(),
        },
        exact(&"x".repeat(3000), Form::Text),
        code("double", "def test(f): return f(1) == 2"),
        sql("CREATE TABLE t (a)", "SELECT a FROM t"),
    ] {
        assert_eq!(check(&checker, b"1"), Verdict::Void, "{checker:?}");
    }
    assert_eq!(
        check(&number("1"), &[b'1'; MAX_ANSWER as usize + 1]),
        Verdict::Wrong
    );
}

#[test]
fn programs_are_bounded_and_never_a_wrong_answer_in_common() {
    let long = "x".repeat(MAX_CHECKER as usize);
    for good in [sql("a", "b"), code("f", "t"), code("is_even2", "t")] {
        assert!(is_sound(&good), "{good:?}");
        assert_eq!(canonical(&good, b"SELECT 1"), b"");
        assert!(needs_panel(&good));
    }
    for bad in [
        sql("", "b"),
        sql("a", " \n"),
        sql("a\0", "b"),
        sql(&long, "b"),
        code("", "t"),
        code("F", "t"),
        code("_f", "t"),
        code("2f", "t"),
        code("f()", "t"),
        code(&"f".repeat(MAX_NAME + 1), "t"),
        code("f", ""),
        code("f", "t\0"),
        code("f", &long),
        Checker::Code {
            function: b"f".to_vec(),
            tests: vec![0xff],
        },
    ] {
        assert!(!is_sound(&bad), "{bad:?}");
    }
    // Places in the encoding are part of the format.
    assert_eq!(sql("a", "b").encode()[0], 5);
    assert_eq!(code("f", "t").encode()[0], 6);
}

#[test]
fn equal_wrong_answers_have_equal_forms() {
    assert_eq!(canonical(&number("1"), b"Answer: 2.50"), b"5/2");
    assert_eq!(canonical(&number("1"), b"so 1 + 1.5 = 2.5"), b"5/2");
    assert_eq!(
        canonical(&exact("a", Form::Word), b"It is **Rome**."),
        b"rome"
    );
    assert_eq!(
        canonical(&schema("{}"), br#"{"b":1, "a":[]}"#),
        br#"{"a":[],"b":1}"#
    );
    assert_eq!(canonical(&number("1"), b"none"), b"");
}

#[test]
fn a_family_is_the_form_and_not_the_text() {
    assert_eq!(form_hash(&number("1")), form_hash(&number("2")));
    assert_ne!(form_hash(&number("1")), form_hash(&exact("1", Form::Text)));
    let calc = |e: &str| {
        form_hash(&Checker::Calc {
            expression: e.into(),
        })
    };
    assert_eq!(calc("1+2"), calc("30 + 4.5"));
    assert_ne!(calc("1+2"), calc("1*2"));
    assert_eq!(
        form_hash(&schema(r#"{"const":1}"#)),
        form_hash(&schema(r#"{"const":"x"}"#))
    );
}

proptest! {
    #[test]
    fn any_input_gets_a_verdict(answer in proptest::collection::vec(any::<u8>(), 0..1100), text in "\\PC{0,60}") {
        for checker in [
            number("7"),
            exact("seven", Form::List),
            exact("seven", Form::Word),
            exact("7", Form::Numbers),
            Checker::Choice { options: vec![text.clone().into_bytes(), b"a".to_vec()], right: 1 },
            schema(r#"{"type":"array"}"#),
            Checker::Calc { expression: text.clone().into_bytes() },
            schema(&text),
            number(&text),
        ] {
            check(&checker, &answer);
            check(&checker, text.as_bytes());
            canonical(&checker, &answer);
            canonical(&checker, text.as_bytes());
            form_hash(&checker);
        }
    }

    #[test]
    fn deep_and_odd_json_ends(text in "[\\[\\]{}\",:0-9a.\\\\u-]{0,400}") {
        json::Value::parse(text.as_bytes());
        check(&schema("{}"), text.as_bytes());
        canonical(&number("1"), text.as_bytes());
    }

    #[test]
    fn fractions_obey_the_laws(a in -10_000i128..10_000, b in 1i128..500, c in -10_000i128..10_000, d in 1i128..500) {
        let x = Rational::whole(a).over(&Rational::whole(b)).unwrap();
        let y = Rational::whole(c).over(&Rational::whole(d)).unwrap();
        prop_assert_eq!(x.plus(&y).unwrap(), y.plus(&x).unwrap());
        prop_assert_eq!(x.plus(&y).unwrap().minus(&y).unwrap(), x.clone());
        if !y.is_zero() {
            prop_assert_eq!(x.times(&y).unwrap().over(&y).unwrap(), x.clone());
        }
        prop_assert_eq!(x < y, a * d < c * b);
        prop_assert_eq!(Rational::parse(x.to_string().as_bytes()).unwrap(), x);
    }
}
