//! Turns `locales/*.json` into `words.rs`: a `Locale` a file, and a `Words` with one method a sentence.
//!
//! A file is nested objects of strings. `{name}` is an argument. An object of plural categories is a plural: its forms are the
//! plural categories of the language, and it has the argument `count`. The object `locale` at the top says the language
//! tag, its own name, its writing direction and its plural rule. English is the pattern: every other file must have the
//! same keys with the same arguments, or the build stops and says which file and key.

use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
};

/// The plural rules by name: the categories they need, in order, and the Rust expression that picks one for `n`.
const RULES: [(&str, &[&str], &str); 3] = [
    ("other", &["other"], "0"),
    ("one-other", &["one", "other"], "usize::from(n != 1)"),
    ("zero-one-other", &["one", "other"], "usize::from(n > 1)"),
];

/// Separates the forms of a plural in the generated table.
const FORM: char = '\u{1f}';

/// Separates the texts in the file that a browser loads.
const TEXT: char = '\u{1e}';

/// What the server compiles in, and a browser loads.
const SERVER_ONLY: &str = "#[cfg(not(target_family = \"wasm\"))] ";

/// What keys begin with whose texts no page shows: the mails'.
const SERVER_ROOMS: [&str; 2] = ["letter_", "hosted_"];

#[derive(Clone)]
struct Entry {
    /// Argument names in alphabetical order, without `count`.
    arguments: BTreeSet<String>,
    /// One text, or one for each category of the plural rule.
    forms: Vec<String>,
    plural: bool,
}

#[derive(Clone)]
struct Language {
    file: String,
    tag: String,
    name: String,
    dir: String,
    rule: usize,
    pseudo: bool,
    entries: BTreeMap<String, Entry>,
}

/// Returns the text of `words.rs`; `hash` makes names that change with their contents.
pub fn generate(folder: &Path, hash: fn(&[u8]) -> u64) -> Result<String, String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = fs::read_dir(folder)
        .map_err(|error| format!("cannot list {}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort_by_key(|path| {
        (
            path.file_stem().is_none_or(|stem| stem != "en"),
            path.clone(),
        )
    });
    let mut languages = Vec::new();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let text = fs::read_to_string(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        languages.push(language(&file.display().to_string(), &text)?);
    }
    let english = languages
        .first()
        .cloned()
        .ok_or("there is no locales/en.json")?;
    for other in &languages[1..] {
        compare(&english, other)?;
    }
    languages.push(pseudo(&english, "en-XA", "[Àççéñţéð]", "ltr", accented));
    languages.push(pseudo(
        &english,
        "ar-XB",
        "[Right to left]",
        "rtl",
        reversed,
    ));
    Ok(write(&english, &languages, hash))
}

fn language(file: &str, text: &str) -> Result<Language, String> {
    let wrong = |reason: &str| format!("{file}: {reason}");
    let Value::Object(mut object) =
        serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?
    else {
        return Err(wrong("must be an object"));
    };
    let Some(Value::Object(about)) = object.remove("locale") else {
        return Err(wrong(
            "`locale` with `tag`, `name`, `dir` and `plural` is missing",
        ));
    };
    let say = |key: &str| {
        about
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| wrong(&format!("`locale.{key}` is missing")))
    };
    let plural = say("plural")?;
    let rule = RULES
        .iter()
        .position(|(name, ..)| *name == plural)
        .ok_or_else(|| {
            wrong(&format!(
                "no plural rule is called `{plural}`: add it to app/build/words.rs"
            ))
        })?;
    let mut entries = BTreeMap::new();
    flatten(file, "", &object, RULES[rule].1, &mut entries)?;
    Ok(Language {
        file: file.to_owned(),
        tag: say("tag")?,
        name: say("name")?,
        dir: say("dir")?,
        rule,
        pseudo: false,
        entries,
    })
}

fn flatten(
    file: &str,
    path: &str,
    object: &Map<String, Value>,
    categories: &[&str],
    entries: &mut BTreeMap<String, Entry>,
) -> Result<(), String> {
    for (key, value) in object {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}_{key}")
        };
        let wrong = |reason: String| format!("{file}: `{path}`: {reason}");
        if !key.starts_with(|c: char| c.is_ascii_lowercase())
            || key.contains(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        {
            return Err(wrong(
                "a key is lower case letters, digits and `_`".to_owned(),
            ));
        }
        let entry = match value {
            Value::String(text) => Entry {
                arguments: arguments(text).map_err(wrong)?,
                forms: vec![text.clone()],
                plural: false,
            },
            Value::Object(forms) if is_plural(forms) => plural(forms, categories).map_err(wrong)?,
            Value::Object(object) => {
                flatten(file, &path, object, categories, entries)?;
                continue;
            }
            _ => {
                return Err(wrong(
                    "must be a text, a plural or an object of them".to_owned(),
                ));
            }
        };
        if entries.insert(path.clone(), entry).is_some() {
            return Err(wrong(
                "two keys have this name once their objects are joined by `_`".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Whether an object is a plural: it has `other`, and nothing but plural categories of CLDR.
fn is_plural(forms: &Map<String, Value>) -> bool {
    let categories = ["zero", "one", "two", "few", "many", "other"];
    forms.contains_key("other") && forms.keys().all(|key| categories.contains(&key.as_str()))
}

fn plural(forms: &Map<String, Value>, categories: &[&str]) -> Result<Entry, String> {
    let given: BTreeSet<&str> = forms.keys().map(String::as_str).collect();
    if given != categories.iter().copied().collect() {
        return Err(format!(
            "the plural needs the forms {}, and has {}",
            categories.join(", "),
            forms.keys().cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    let mut entry = Entry {
        arguments: BTreeSet::new(),
        forms: Vec::new(),
        plural: true,
    };
    for category in categories {
        let text = forms
            .get(*category)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("`{category}` must be a text"))?;
        entry.arguments.extend(arguments(text)?);
        entry.forms.push(text.to_owned());
    }
    entry.arguments.remove("count");
    Ok(entry)
}

/// Returns the names in `{…}`.
fn arguments(text: &str) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("a `{` has no `}`")?;
        if name.is_empty() || name.contains(|c: char| !(c.is_ascii_lowercase() || c == '_')) {
            return Err(format!(
                "`{{{name}}}` is no argument: lower case letters and `_`"
            ));
        }
        names.insert(name.to_owned());
        rest = after;
    }
    if rest.contains('}') {
        return Err("a `}` has no `{`".to_owned());
    }
    Ok(names)
}

/// Refuses a language whose keys or arguments are not those of English.
fn compare(english: &Language, other: &Language) -> Result<(), String> {
    let mut faults = Vec::new();
    for (key, entry) in &english.entries {
        match other.entries.get(key) {
            None => faults.push(format!("`{key}` is missing")),
            Some(there) if there.plural != entry.plural => faults.push(format!(
                "`{key}` must {} a plural",
                if entry.plural { "be" } else { "not be" }
            )),
            Some(there) if there.arguments != entry.arguments => {
                faults.push(format!(
                    "`{key}` has the arguments {:?}, English has {:?}",
                    there.arguments, entry.arguments
                ));
            }
            Some(_) => {}
        }
    }
    faults.extend(
        other
            .entries
            .keys()
            .filter(|key| !english.entries.contains_key(*key))
            .map(|key| format!("`{key}` is unknown to English")),
    );
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("{}:\n  {}", other.file, faults.join("\n  ")))
    }
}

/// Makes a language for layout tests out of English. What `format` holds are patterns, and stays as it is.
fn pseudo(
    english: &Language,
    tag: &str,
    name: &str,
    dir: &str,
    turn: fn(&str) -> String,
) -> Language {
    let mut language = Language {
        tag: tag.to_owned(),
        name: name.to_owned(),
        dir: dir.to_owned(),
        pseudo: true,
        ..english.clone()
    };
    for (key, entry) in &mut language.entries {
        if !key.starts_with("format_") {
            for form in &mut entry.forms {
                *form = turn(form);
            }
        }
    }
    language
}

/// Accents every letter, adds 40 % in length and brackets: what stays plain was not translated, what loses its
/// bracket was cut.
fn accented(text: &str) -> String {
    let mut out = String::from("[");
    let (mut inside, mut letters) = (false, 0);
    for c in text.chars() {
        inside = (inside || c == '{') && c != '}';
        let at = "aceginorsuyzACEGINORSUYZdtlhk".find(c).filter(|_| !inside);
        let replaced = at.and_then(|at| "àçéĝîñöŕšûýžÀÇÉĜÎÑÖŔŠÛÝŽðţļĥķ".chars().nth(at));
        out.push(replaced.unwrap_or(c));
        letters += usize::from(!inside && c.is_alphabetic());
    }
    for at in 0..letters * 2 / 5 {
        out.push(if at % 6 == 0 { ' ' } else { '~' });
    }
    out.push(']');
    out
}

/// Shows each run of letters from right to left, so that a mirrored page can be read by those who read only English.
fn reversed(text: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut run) = (false, false);
    for c in text.chars() {
        inside = (inside || c == '{') && c != '}';
        let letter = !inside && c.is_alphabetic();
        if letter != run {
            out.push(if letter { '\u{202e}' } else { '\u{202c}' });
            run = letter;
        }
        out.push(c);
    }
    if run {
        out.push('\u{202c}');
    }
    out
}

fn write(english: &Language, languages: &[Language], hash: fn(&[u8]) -> u64) -> String {
    let mut out = String::new();
    let gate = |language: &Language| {
        if language.pseudo {
            "#[cfg(any(debug_assertions, feature = \"pseudo\"))] "
        } else {
            ""
        }
    };
    out.push_str("/// A language that the product speaks: one for each file in `app/locales`.\n");
    out.push_str(
        "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum Locale {\n",
    );
    for language in languages {
        let _ = writeln!(
            out,
            "    /// {}.\n    {}{},",
            language.name.replace('[', "\\["),
            gate(language),
            variant(&language.tag)
        );
    }
    out.push_str("}\n\nimpl Locale {\n    /// Every language, English first.\n    pub const ALL: &[Self] = &[\n");
    for language in languages {
        let _ = writeln!(
            out,
            "        {}Self::{},",
            gate(language),
            variant(&language.tag)
        );
    }
    out.push_str("    ];\n\n");
    let mut method = |doc: &str, head: &str, value: &dyn Fn(&Language) -> String| {
        let _ = writeln!(out, "    /// {doc}\n    {head} {{\n        match self {{");
        for language in languages {
            let _ = writeln!(
                out,
                "            {}Self::{} => {},",
                gate(language),
                variant(&language.tag),
                value(language)
            );
        }
        out.push_str("        }\n    }\n\n");
    };
    method(
        "The BCP 47 tag, as in the `lang` attribute.",
        "pub const fn tag(self) -> &'static str",
        &|l| format!("{:?}", l.tag),
    );
    method(
        "The language's name in itself.",
        "pub const fn name(self) -> &'static str",
        &|l| format!("{:?}", l.name),
    );
    method(
        "The writing direction, as in the `dir` attribute: `ltr` or `rtl`.",
        "pub const fn dir(self) -> &'static str",
        &|l| format!("{:?}", l.dir),
    );
    method(
        "Which form of a plural goes with the number.",
        "fn plural_form(self, n: u64) -> usize",
        &|l| {
            if l.rule == 0 {
                "{ let _ = n; 0 }".to_owned()
            } else {
                RULES[l.rule].2.to_owned()
            }
        },
    );
    method(
        "Its texts, in the order of the keys.",
        &format!(
            "{SERVER_ONLY}const fn table(self) -> &'static [&'static str; {}]",
            english.entries.len()
        ),
        &|l| format!("&{}", variant(&l.tag).to_uppercase()),
    );
    method(
        "Where a browser finds its texts: a path that changes with them.",
        "pub const fn path(self) -> &'static str",
        &|l| {
            let hash = hash(whole(l, english).as_bytes());
            format!("\"/words/{}.{hash:016x}.txt\"", l.tag)
        },
    );
    method(
        "Its texts as a browser loads them, in the order of the keys.",
        &format!("{SERVER_ONLY}pub const fn file(self) -> &'static str"),
        &|l| format!("{:?}", whole(l, english)),
    );
    out.push_str("}\n\n");
    for language in languages {
        let _ = writeln!(
            out,
            "{SERVER_ONLY}{}static {}: [&str; {}] = [",
            gate(language),
            variant(&language.tag).to_uppercase(),
            language.entries.len()
        );
        for text in texts(language, english) {
            let _ = writeln!(out, "    {text:?},");
        }
        out.push_str("];\n\n");
    }
    out.push_str("impl Words {\n");
    for (at, (key, entry)) in english.entries.iter().enumerate() {
        sentence(&mut out, at, key, entry);
    }
    out.push_str("}\n");
    out
}

/// The texts of a language in the order of the keys, with their arguments numbered.
fn texts(language: &Language, english: &Language) -> Vec<String> {
    let text = |(key, entry): (&String, &Entry)| {
        let numbered = |form: &String| numbered(form, &english.entries[key].arguments);
        let forms: Vec<String> = entry.forms.iter().map(numbered).collect();
        forms.join(&FORM.to_string())
    };
    language.entries.iter().map(text).collect()
}

/// The file that a browser loads. What only the server says keeps its place, so that numbers stay what they are, and is
/// empty there.
fn whole(language: &Language, english: &Language) -> String {
    let keys = english.entries.keys();
    let shown = keys.zip(texts(language, english)).map(|(key, text)| {
        if SERVER_ROOMS.iter().any(|room| key.starts_with(room)) {
            String::new()
        } else {
            text
        }
    });
    shown.collect::<Vec<_>>().join(&TEXT.to_string())
}

/// Writes the method of one key. Arguments come in alphabetical order, so that a translation cannot change it.
fn sentence(out: &mut String, at: usize, key: &str, entry: &Entry) {
    let _ = writeln!(
        out,
        "    /// {}",
        entry
            .forms
            .last()
            .map_or("", String::as_str)
            .replace('[', "\\[")
            .replace('\n', " ")
    );
    let takes: String = entry
        .arguments
        .iter()
        .map(|name| format!(", {name}: &str"))
        .collect();
    let gives = entry
        .arguments
        .iter()
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let _ = if entry.plural {
        let rest = if gives.is_empty() {
            String::new()
        } else {
            format!(", {gives}")
        };
        writeln!(
            out,
            "    #[must_use]\n    pub fn {key}(self, count: u64{takes}) -> String {{ self.counted({at}, count, &[&self.integer(count){rest}]) }}"
        )
    } else if entry.arguments.is_empty() {
        writeln!(
            out,
            "    #[must_use]\n    pub fn {key}(self) -> &'static str {{ self.text({at}) }}"
        )
    } else {
        writeln!(
            out,
            "    #[must_use]\n    pub fn {key}(self{takes}) -> String {{ self.filled({at}, &[{gives}]) }}"
        )
    };
}

/// Replaces `{name}` by a control character: 1 for the first argument, and so on; 0x0e and up keep clear of the line
/// feed. In a plural the first is `count`.
fn numbered(text: &str, arguments: &BTreeSet<String>) -> String {
    let mut out = text.replace("{count}", "\u{e}");
    for (at, name) in arguments.iter().enumerate() {
        let mark = char::from_u32(0xf + u32::try_from(at).unwrap_or(0)).unwrap_or('?');
        out = out.replace(&format!("{{{name}}}"), &mark.to_string());
    }
    out
}

fn variant(tag: &str) -> String {
    tag.split('-')
        .map(|part| part[..1].to_uppercase() + &part[1..].to_lowercase())
        .collect()
}
