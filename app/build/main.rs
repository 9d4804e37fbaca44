//! Makes what of the app is not written in Rust: the stylesheet, the words, and the fingerprint of what travels.
//!
//! They land in `OUT_DIR`: `app.css` with the name it is served under, `words.rs` with a method a sentence, `wire.rs`, and
//! `build.txt`, which names what all of it was built from.

mod fingerprint;
mod styles;
mod words;

use std::{env, fs, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    match make() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("\n{reason}\n");
            ExitCode::FAILURE
        }
    }
}

/// Writes the generated files; the error says which source file to mend.
fn make() -> Result<(), String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build");

    let css = styles::bundle(&root)?;
    write(&out.join("app.css"), &css)?;
    write(
        &out.join("style.rs"),
        &format!(
            "const HASH: &str = \"{:016x}\";\n",
            styles::fingerprint(css.as_bytes())
        ),
    )?;
    write(&out.join("wire.rs"), &fingerprint::generate(&root)?)?;
    write(&out.join("build.txt"), &fingerprint::build(&root)?)?;
    write(
        &out.join("words.rs"),
        &words::generate(&root.join("locales"), styles::fingerprint)?,
    )
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

fn write(path: &std::path::Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
