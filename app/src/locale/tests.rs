//! What the generator of the words refuses: each fault is a build that stops and says where.

#[path = "../../build/words.rs"]
mod generator;

use std::fs;

const ENGLISH: &str = r#"{
    "locale": { "tag": "en", "name": "English", "dir": "ltr", "plural": "one-other" },
    "home": { "title": "Home", "due": "{amount} on {date}", "seats": { "one": "{count} seat", "other": "{count} seats" } }
}"#;

/// Generates from English and one other file in a folder of its own.
fn generate(name: &str, other: &str) -> Result<String, String> {
    let folder = std::env::temp_dir()
        .join(format!("perennial-words-{}", std::process::id()))
        .join(name);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    for (file, text) in [("en.json", ENGLISH), ("xx.json", other)] {
        fs::write(folder.join(file), text).map_err(|error| error.to_string())?;
    }
    generator::generate(&folder, |_| 0)
}

/// The other language, with the part under `home` given.
fn other(home: &str) -> String {
    format!(
        r#"{{ "locale": {{ "tag": "xx", "name": "X", "dir": "ltr", "plural": "other" }}, "home": {{ {home} }} }}"#
    )
}

#[test]
fn a_language_with_every_key_is_taken() {
    let words = generate(
        "whole",
        &other(r#""title": "T", "due": "{date}: {amount}", "seats": { "other": "{count}" }"#),
    );
    let words = words.unwrap_or_else(|reason| reason);
    assert!(
        words.contains("pub fn home_due(self, amount: &str, date: &str) -> String"),
        "{words}"
    );
    assert!(
        words.contains("pub fn home_title(self) -> &'static str"),
        "{words}"
    );
    assert!(
        words.contains("pub fn home_seats(self, count: u64) -> String"),
        "{words}"
    );
}

#[test]
fn a_fault_names_its_file_and_key() {
    for (name, home, expected) in [
        (
            "missing",
            r#""title": "T", "seats": { "other": "s" }"#,
            "`home_due` is missing",
        ),
        (
            "arguments",
            r#""title": "T", "due": "{amount}", "seats": { "other": "s" }"#,
            "`home_due` has the arguments",
        ),
        (
            "unknown",
            r#""title": "T", "more": "M", "due": "{amount} {date}", "seats": { "other": "s" }"#,
            "`home_more` is unknown",
        ),
        (
            "flat",
            r#""title": "T", "due": "{amount} {date}", "seats": "s""#,
            "`home_seats` must be a plural",
        ),
        (
            "forms",
            r#""title": "T", "due": "{amount} {date}", "seats": { "one": "s", "other": "s" }"#,
            "the plural needs the forms other",
        ),
        (
            "brace",
            r#""title": "T {", "due": "{amount} {date}", "seats": { "other": "s" }"#,
            "a `{` has no `}`",
        ),
        (
            "name",
            r#""title": "{A b}", "due": "{amount} {date}", "seats": { "other": "s" }"#,
            "is no argument",
        ),
        ("key", r#""Title": "T""#, "a key is lower case letters"),
    ] {
        let reason = generate(name, &other(home)).err().unwrap_or_default();
        assert!(
            reason.contains(expected) && reason.contains("xx.json"),
            "{name}: {reason}"
        );
    }
}
