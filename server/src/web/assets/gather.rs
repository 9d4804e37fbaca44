//! Finds the files of the site. Shared by the build script, which embeds them, and by debug binaries, which read them.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// What `tools/site.sh` packs, from the root of the project.
pub const SITE: &str = "target/site";

/// Fonts, icons and the like, from the root of the project.
pub const PUBLIC: &str = "public";

/// One file that a browser can ask for.
pub struct Found {
    /// Its path in the URL: `/pkg/…`, or its path in `public/`.
    pub path: String,
    /// The file as it is.
    pub body: PathBuf,
    /// The same, compressed with brotli.
    pub brotli: Option<PathBuf>,
    /// The same, compressed with gzip.
    pub gzip: Option<PathBuf>,
}

/// Every file of the site, ordered by path; nothing where the site was not built.
pub fn gather(root: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let pkg = root.join(SITE).join("pkg");
    for (name, body) in files_under(&pkg)? {
        if !name.ends_with(".br") && !name.ends_with(".gz") {
            let (brotli, gzip) = (twin(&body, "br"), twin(&body, "gz"));
            found.push(Found {
                path: format!("/pkg/{name}"),
                body,
                brotli,
                gzip,
            });
        }
    }
    for (name, body) in files_under(&root.join(PUBLIC))? {
        // The packed copy may be older than the file: its twins count only while it is the same.
        let packed = root.join(SITE).join("public").join(&name);
        let fresh = packed.is_file() && fs::read(&packed)? == fs::read(&body)?;
        let (brotli, gzip) = if fresh {
            (twin(&packed, "br"), twin(&packed, "gz"))
        } else {
            (None, None)
        };
        found.push(Found {
            path: format!("/{name}"),
            body,
            brotli,
            gzip,
        });
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(found)
}

fn twin(path: &Path, extension: &str) -> Option<PathBuf> {
    let twin = PathBuf::from(format!("{}.{extension}", path.display()));
    twin.is_file().then_some(twin)
}

/// The files below a folder, hidden ones left out: their path relative to it with `/`, and where they are.
fn files_under(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    let mut open = vec![(String::new(), folder.to_path_buf())];
    while let Some((prefix, next)) = open.pop() {
        if !next.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push((format!("{name}/"), entry.path()));
            } else {
                files.push((name, entry.path()));
            }
        }
    }
    Ok(files)
}
