//! Embeds the site (what `tools/site.sh` packed, and `public/`) in a release binary, so that it is one file to deploy.
//!
//! A debug binary reads the same files at its start instead: a new site then costs no new server, and the tests no site.
#![expect(
    clippy::expect_used,
    reason = "a build stops at what it cannot read or write"
)]

#[path = "src/web/assets/gather.rs"]
mod gather;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/web/assets/gather.rs");
    // The macro that embeds the migrations does not notice a new file by itself.
    println!("cargo:rerun-if-changed=migrations");
    let variable = |name| PathBuf::from(env::var_os(name).expect("cargo sets this"));
    let root = variable("CARGO_MANIFEST_DIR").join("..");
    let mut code = String::from("&[\n");
    if env::var("PROFILE").as_deref() == Ok("release") {
        for folder in [root.join(gather::SITE), root.join(gather::PUBLIC)] {
            // Cargo takes a missing folder for a changed one, at every build.
            fs::create_dir_all(&folder).expect("the folder can be made");
            println!("cargo:rerun-if-changed={}", folder.display());
        }
        for file in gather::gather(&root).expect("the site can be read") {
            let twin = |twin: Option<PathBuf>| {
                twin.map_or_else(
                    || "None".to_owned(),
                    |path| format!("Some({})", include(&path)),
                )
            };
            writeln!(
                code,
                "Embedded {{ path: {:?}, body: {}, brotli: {}, gzip: {} }},",
                file.path,
                include(&file.body),
                twin(file.brotli),
                twin(file.gzip),
            )
            .expect("a string takes any text");
        }
    }
    code.push(']');
    fs::write(variable("OUT_DIR").join("embedded.rs"), code).expect("the output can be written");
}

fn include(path: &Path) -> String {
    let path = path.canonicalize().expect("a file that was just listed");
    format!(
        "include_bytes!({:?})",
        path.to_str().expect("a path in Unicode")
    )
}
