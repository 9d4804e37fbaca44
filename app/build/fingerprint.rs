//! Marks which definitions the messages between server and browser were built from.

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

/// Writes the constant that every message begins with: it differs as soon as a definition does.
pub fn generate(root: &Path) -> Result<String, String> {
    let mut files = Vec::new();
    for room in ROOMS {
        gather(&root.join(room), &mut files)?;
    }
    files.sort();
    let mut text = Vec::new();
    for file in files {
        text.extend(
            fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?,
        );
    }
    let bytes = super::styles::fingerprint(&text).to_le_bytes();
    let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
    Ok(format!(
        "/// Differs between versions of the product whose messages might differ.\npub const FINGERPRINT: [u8; 4] = {bytes:?};\n"
    ))
}

fn gather(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", path.display());
    if path.is_dir() {
        let entries = fs::read_dir(path)
            .map_err(|error| format!("cannot list {}: {error}", path.display()))?;
        for entry in entries {
            gather(&entry.map_err(|error| error.to_string())?.path(), files)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        files.push(path.to_path_buf());
    }
    Ok(())
}
