//! Packs what the browser downloads.
//!
//! In: the app as cargo built it for wasm, and the public folder. Out, in one folder:
//! `pkg/app.<hash>.js` and `pkg/app.<hash>.wasm` for the first page, `pkg/parts.<hash>/` for the others (names change with
//! contents, so they may be cached for ever), their `.br` and `.gz` twins, and a copy with twins of those public files
//! that compression makes smaller.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io::Write, thread};

use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

mod snip;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Part of the mangled names of the futures that hydrate a page in pieces. `leptos::mount::hydrate_lazy` alone makes them,
/// and the app begins with `hydrate_body`; every view has one nevertheless. What the futures call in turn stays: of
/// functions that are equal the compiler keeps one, and its name may be that of a function which nobody calls.
const NEVER_CALLED: &str = "hydrate_async28_$u7b$$u7b$closure$u7d$$u7d$17h";

/// Part of the names of what is exported for streams from Rust to the browser, which the app never makes.
const NEVER_ASKED: &str = "intounderlying";

/// What the command line asks for.
struct Order {
    wasm: PathBuf,
    public: PathBuf,
    out: PathBuf,
    wasm_opt: Option<PathBuf>,
    compress: bool,
    /// The most bytes that the first page may need, compressed with brotli.
    brotli_max: Option<u64>,
}

fn main() {
    if let Err(error) = order(env::args_os().skip(1)).and_then(|order| pack(&order)) {
        eprintln!("site: {error}");
        std::process::exit(1);
    }
}

fn order(mut arguments: impl Iterator<Item = OsString>) -> Outcome<Order> {
    let usage = "usage: site --wasm FILE --public FOLDER --out FOLDER [--wasm-opt PROGRAM] [--compress] [--brotli-max BYTES]";
    let (mut wasm, mut public, mut out, mut wasm_opt, mut compress) =
        (None, None, None, None, false);
    let mut brotli_max = None;
    while let Some(name) = arguments.next() {
        if name == "--compress" {
            compress = true;
            continue;
        }
        let value = arguments.next().ok_or(usage)?;
        if name == "--brotli-max" {
            brotli_max = Some(value.to_str().ok_or(usage)?.parse::<u64>()?);
            continue;
        }
        let value = PathBuf::from(value);
        match name.to_str() {
            Some("--wasm") => wasm = Some(value),
            Some("--public") => public = Some(value),
            Some("--out") => out = Some(value),
            Some("--wasm-opt") => wasm_opt = Some(value),
            _ => return Err(usage.into()),
        }
    }
    Ok(Order {
        wasm: wasm.ok_or(usage)?,
        public: public.ok_or(usage)?,
        out: out.ok_or(usage)?,
        wasm_opt,
        compress,
        brotli_max,
    })
}

fn pack(order: &Order) -> Outcome<()> {
    let wasm =
        fs::read(&order.wasm).map_err(|error| format!("{}: {error}", order.wasm.display()))?;
    let public = files_under(&order.public)?;
    let stamp = stamp(order, &wasm, &public);
    if fs::read_to_string(order.out.join("stamp")).is_ok_and(|old| old == stamp) {
        return report(order);
    }

    // Everything is made beside the old site, which stays whole until the new one is complete.
    let fresh = order.out.with_extension("part");
    remove(&fresh)?;
    let pkg = fresh.join("pkg");
    fs::create_dir_all(&pkg)?;
    bind(order, &wasm, &fresh.join("bound"), &pkg)?;
    if order.compress {
        let mut work = files_under(&pkg)?
            .into_iter()
            .map(|(path, bytes)| (pkg.join(path), bytes))
            .collect::<Vec<_>>();
        for (path, bytes) in public.into_iter().filter(|(path, _)| is_text(path)) {
            let copy = fresh.join("public").join(path);
            write(&copy, &bytes)?;
            work.push((copy, bytes));
        }
        compress(work)?;
    }
    fs::write(fresh.join("stamp"), stamp)?;
    remove(&order.out)?;
    fs::rename(&fresh, &order.out)?;
    report(order)
}

/// Names everything that the result depends on.
fn stamp(order: &Order, wasm: &[u8], public: &[(PathBuf, Vec<u8>)]) -> String {
    let mut stamp = format!(
        "compress {} wasm-opt {}\n",
        order.compress,
        order.wasm_opt.is_some()
    );
    if let Ok(packer) = packer() {
        stamp += &format!("packer {}\n", hash(&packer));
    }
    stamp += &format!("wasm {}\n", hash(wasm));
    for (path, bytes) in public {
        stamp += &format!("public {} {}\n", path.display(), hash(bytes));
    }
    stamp
}

/// This program: another one may pack another way.
fn packer() -> std::io::Result<Vec<u8>> {
    fs::read(env::current_exe()?)
}

/// What the module may use: what Rust compiles to (rustc's book, wasm32-unknown-unknown), and every browser has. With
/// all that wasm-opt knows it writes modules that no browser compiles.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// What is done to a module. Measured: -Oz and -Os make a smaller file, but one that brotli packs 5 % worse than this.
const PASSES: [&str; 5] = [
    "-O1",
    "--dae-optimizing",
    "-O1",
    "--dae-optimizing",
    "--duplicate-function-elimination",
];

/// Writes the JavaScript side of the wasm module, optimises the module, and names both by their contents.
fn bind(order: &Order, wasm: &[u8], scratch: &Path, pkg: &Path) -> Outcome<()> {
    // All of it is made from these, and names each other by this.
    let made_of = format!(
        "{} {} {}",
        order.compress,
        hash(wasm),
        order.wasm_opt.is_some()
    );
    let hash = hash(&[made_of.as_bytes(), &packer()?].concat());
    let (script, folder) = (format!("app.{hash}.js"), format!("parts.{hash}"));
    let parts = pkg.join(&folder);
    let main = scratch.join("main.wasm");
    fs::create_dir_all(scratch)?;
    let mut split = wasm_split_cli_support::Options::new(wasm);
    split.output_dir = &parts;
    split.main_out_path = &main;
    let main_module = format!("../{script}");
    split.main_module = &main_module;
    split.link_name = "./parts.js";
    let split = wasm_split_cli_support::transform(split)
        .map_err(|error| format!("wasm-split: {error:#}"))?;
    Bindgen::new()
        .input_path(&main)
        .out_name("app")
        .keep_lld_exports(true)
        .web(true)?
        .typescript(false)
        .remove_producers_section(true)
        .demangle(false)
        .generate(scratch)
        .map_err(|error| format!("wasm-bindgen: {error:#}"))?;
    fs::write(parts.join("parts.txt"), list(&split.prefetch_map))?;
    let module = scratch.join("app_bg.wasm");
    for module in split.split_modules.iter().chain([&module]) {
        shrink(order, module)?;
    }
    let wasm = fs::read(&module)?;
    let wasm_name = format!("app.{hash}.wasm");
    let text = fs::read_to_string(scratch.join("app.js"))?
        .replace("app_bg.wasm", &wasm_name)
        .replace(
            "from \"./parts.js\"",
            &format!("from \"./{folder}/parts.js\""),
        );
    fs::write(pkg.join(&wasm_name), wasm)?;
    fs::write(pkg.join(script), without_comments(&without_streams(&text)))?;
    // Small scripts that crates bring along are imported by the main one, from folders that carry a hash already.
    if scratch.join("snippets").exists() {
        fs::rename(scratch.join("snippets"), pkg.join("snippets"))?;
    }
    remove(scratch)
}

/// The script without the classes that go with [`NEVER_ASKED`].
fn without_streams(script: &str) -> String {
    let mut out = String::new();
    let mut rest = script;
    while let Some((before, after)) = rest.split_once("export class IntoUnderlying") {
        out += before;
        let Some((_, after)) = after.split_once("\n}\n") else {
            return script.to_owned();
        };
        let dispose = after.starts_with("if (Symbol.dispose)");
        rest = match after.split_once('\n') {
            Some((_, after)) if dispose => after,
            _ => after,
        };
    }
    out + rest
}

/// The script without its comments and indentation. Comments in it stand on lines of their own.
fn without_comments(script: &str) -> String {
    let mut inside = false;
    let lines = script.lines().map(str::trim_start).filter(|line| {
        let comment = inside || line.starts_with("/*") || line.starts_with("//");
        inside = (inside || line.starts_with("/*")) && !line.trim_end().ends_with("*/");
        !comment && !line.is_empty()
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// Which files each part needs, one part a line, so that the server can tell a browser before the script does.
fn list(parts: &HashMap<String, Vec<String>>) -> String {
    let parts: BTreeMap<_, _> = parts.iter().collect();
    let line = |(name, files): (&String, &Vec<String>)| {
        let files = files.iter().map(|file| format!(" {file}.wasm"));
        format!("{name}{}\n", files.collect::<String>())
    };
    parts.into_iter().map(line).collect()
}

/// Makes a module small: without what is never called, optimised, without names.
fn shrink(order: &Order, module: &Path) -> Outcome<()> {
    if !order.compress {
        return Ok(());
    }
    let small = snip::snip(&fs::read(module)?, NEVER_CALLED, NEVER_ASKED)
        .ok_or("the wasm can't be read")?;
    fs::write(module, small)?;
    if let Some(program) = &order.wasm_opt {
        let status = Command::new(program)
            .args(PASSES)
            .args(FEATURES)
            .arg(module)
            .arg("-o")
            .arg(module)
            .status();
        if !status
            .map_err(|error| format!("{}: {error}", program.display()))?
            .success()
        {
            return Err("wasm-opt failed".into());
        }
    }
    Ok(())
}

/// Writes a `.br` and a `.gz` beside each path, on as many threads as there are files; a twin that saves nothing is left out.
fn compress(work: Vec<(PathBuf, Vec<u8>)>) -> Outcome<()> {
    thread::scope(|scope| {
        let threads: Vec<_> = work
            .iter()
            .map(|(path, bytes)| scope.spawn(move || write_twins(path, bytes)))
            .collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| "a compressing thread stopped")??;
        }
        Ok(())
    })
}

fn write_twins(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut brotli = Vec::new();
    let quality = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 24,
        size_hint: bytes.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &bytes[..], &mut brotli, &quality)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes)?;
    for (twin, extension) in [(brotli, "br"), (gzip.finish()?, "gz")] {
        if twin.len() < bytes.len() {
            write(Path::new(&format!("{}.{extension}", path.display())), &twin)?;
        }
    }
    Ok(())
}

/// Prints what a browser downloads, in bytes, for the first page and for all; fails when the first needs more than it may.
fn report(order: &Order) -> Outcome<()> {
    let size = |path: &Path, extension: &str| {
        let twin = PathBuf::from(format!("{}{extension}", path.display()));
        fs::metadata(twin).map_or(0, |data| data.len())
    };
    let (mut first, mut all) = ([0; 3], [0; 3]);
    let line = |name: &dyn std::fmt::Display, sizes: [u64; 3]| {
        println!(
            "      {name:<34} {:>10} {:>10} {:>10}",
            sizes[0], sizes[1], sizes[2]
        );
    };
    println!(
        "      {:<34} {:>10} {:>10} {:>10}",
        "target/site/pkg, bytes", "raw", "gzip", "brotli"
    );
    let pkg = order.out.join("pkg");
    for (name, _) in files_under(&pkg)?.iter().filter(|(name, _)| !is_twin(name)) {
        let path = pkg.join(name);
        let sizes = [size(&path, ""), size(&path, ".gz"), size(&path, ".br")];
        line(&name.display(), sizes);
        let part = name.extension().is_some_and(|kind| kind == "wasm")
            && name.parent() != Some(Path::new(""));
        for (kind, size) in sizes.into_iter().enumerate() {
            first[kind] += if part { 0 } else { size };
            all[kind] += size;
        }
    }
    line(&"the first page", first);
    line(&"every page", all);
    match order.brotli_max {
        Some(most) if first[2] > most => Err(format!(
            "the first page needs {} bytes, {} more than the {most} it may",
            first[2],
            first[2] - most
        )
        .into()),
        _ => Ok(()),
    }
}

/// Every file under a folder with its contents, by path relative to it, sorted; none where the folder is missing.
fn files_under(folder: &Path) -> Outcome<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        if !next.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push((path.strip_prefix(folder)?.to_path_buf(), fs::read(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

fn remove(folder: &Path) -> Outcome<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

fn is_twin(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "br" || extension == "gz")
}

/// Whether compression helps: fonts and pictures are compressed already.
fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(
        extension,
        Some("css" | "html" | "js" | "json" | "svg" | "txt" | "webmanifest")
    )
}

/// Twelve hexadecimal digits of SHA-256: enough for a name that differs whenever the contents do.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
