//! Gathers `style/*.css` and every component's own sheet into one stylesheet.
//!
//! Each component sheet is one rule with nesting, so that `stylers` only has to scope its root class; what it rewrites
//! wrongly (descendant combinators with spaces, several selectors without one) cannot be written here by accident.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use stylers_core::{Class, from_str};

/// The global sheets, in the order of their layers. `print` is last, so that it wins over the scoped ones.
const LAYERS: [&str; 5] = ["reset", "tokens", "base", "scoped", "print"];

/// Returns the whole stylesheet, or says which sheet breaks a rule.
pub fn bundle(root: &Path) -> Result<String, String> {
    let mut css = format!("@layer {};", LAYERS.join(","));
    for layer in LAYERS {
        let text = if layer == "scoped" {
            scoped(root)?
        } else {
            read(&root.join("../style").join(layer).with_extension("css"))?
        };
        css.push_str(&format!("@layer {layer}{{{}}}", minify(&text)));
    }
    // Fonts and page transitions do not belong to a layer.
    css.push_str(&minify(&read(&root.join("../style/fonts.css"))?));
    println!(
        "cargo::rerun-if-changed={}",
        root.join("../style").display()
    );
    Ok(css)
}

/// Returns the component sheets, each scoped to the class that `style_sheet!` gives its component.
fn scoped(root: &Path) -> Result<String, String> {
    let mut sheets = Vec::new();
    gather(&root.join("src"), &mut sheets)?;
    sheets.sort();
    let (mut scopes, mut css) = (BTreeMap::new(), String::new());
    for sheet in sheets {
        let source = read(&sheet)?;
        one_rule(&source).map_err(|reason| format!("{}: {reason}", sheet.display()))?;
        let class = Class::rand_class_from_seed(source.clone());
        if let Some(other) = scopes.insert(class.as_name().to_owned(), sheet.clone()) {
            return Err(format!(
                "{} and {} have the same scope {}: they have the same number of characters. Add one to a comment of either.",
                sheet.display(),
                other.display(),
                class.as_name()
            ));
        }
        css.push_str(&from_str(&source, &class));
        css.push('\n');
    }
    Ok(css)
}

/// Refuses a sheet that is anything but one rule on one class, with everything else nested in it.
fn one_rule(source: &str) -> Result<(), String> {
    let source = without_comments(source);
    let (selector, rest) = source.split_once('{').ok_or("there is no rule in it")?;
    let selector = selector.trim();
    let plain = selector
        .strip_prefix('.')
        .is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    if !plain {
        return Err(format!(
            "the sheet must be one rule on one class, not on `{selector}`"
        ));
    }
    let mut depth = 1_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).ok_or("there is a `}` too many")?,
            _ => {}
        }
        if depth == 0 && !rest[at + 1..].trim().is_empty() {
            return Err(format!(
                "everything must be nested in `{selector}`, but there is more after its end"
            ));
        }
    }
    if depth > 0 {
        Err("a `}` is missing".to_owned())
    } else {
        Ok(())
    }
}

fn gather(folder: &Path, sheets: &mut Vec<PathBuf>) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)
        .map_err(|error| format!("cannot list {}: {error}", folder.display()))?
    {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            gather(&path, sheets)?;
        } else if path.extension().is_some_and(|extension| extension == "css") {
            println!("cargo::rerun-if-changed={}", path.display());
            sheets.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn without_comments(css: &str) -> String {
    let mut rest = css;
    let mut kept = String::with_capacity(css.len());
    while let Some((before, after)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}

/// Drops comments and the white space that means nothing; strings stay as they are.
fn minify(css: &str) -> String {
    let css = without_comments(css);
    let mut out = String::with_capacity(css.len());
    let (mut quote, mut space) = (None, false);
    for c in css.chars() {
        if let Some(mark) = quote {
            out.push(c);
            if c == mark {
                quote = None;
            }
            continue;
        }
        if c.is_whitespace() {
            space = true;
            continue;
        }
        let tight = |c: char| matches!(c, '{' | '}' | ';' | ',');
        if space
            && !tight(c)
            && !out.ends_with(|last: char| tight(last) || last == ':')
            && !out.is_empty()
        {
            out.push(' ');
        }
        space = false;
        if c == '}' && out.ends_with(';') {
            out.pop();
        }
        if c == '"' || c == '\'' {
            quote = Some(c);
        }
        out.push(c);
    }
    out
}

/// FNV-1a: names the stylesheet by its content. Not a defence against anybody, only a new name for a new text.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
