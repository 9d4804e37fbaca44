//! Marks which definitions the messages between server and browser were built from, and which sources the pages were.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where types that travel are defined, from the app's folder.
const ROOMS: [&str; 5] = [
    "../src",
    "src/port.rs",
    "src/port",
    "src/refusal.rs",
    "src/portal",
];

/// What pages are made of, from the app's folder: the server and the browser must have it from the same.
const PAGES: [&str; 3] = ["../src", "src", "locales"];

/// Writes the constant that every message begins with: it differs as soon as a definition does.
pub fn generate(root: &Path) -> Result<String, String> {
    let bytes = hash(root, &ROOMS)?.to_le_bytes();
    let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
    Ok(format!(
        "/// Differs between versions of the product whose messages might differ.\npub const FINGERPRINT: [u8; 4] = {bytes:?};\n"
    ))
}

/// Names the sources that the pages are built from.
pub fn build(root: &Path) -> Result<String, String> {
    Ok(format!("{:016x}", hash(root, &PAGES)?))
}

fn hash(root: &Path, rooms: &[&str]) -> Result<u64, String> {
    let mut files = Vec::new();
    for room in rooms {
        gather(&root.join(room), &mut files)?;
    }
    files.sort();
    let mut text = Vec::new();
    for file in files {
        text.extend(
            fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?,
        );
    }
    Ok(super::styles::fingerprint(&text))
}

fn gather(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", path.display());
    if path.is_dir() {
        let entries = fs::read_dir(path)
            .map_err(|error| format!("cannot list {}: {error}", path.display()))?;
        for entry in entries {
            gather(&entry.map_err(|error| error.to_string())?.path(), files)?;
        }
    } else if path
        .extension()
        .is_some_and(|extension| extension == "rs" || extension == "json")
    {
        files.push(path.to_path_buf());
    }
    Ok(())
}
