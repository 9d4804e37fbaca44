//! A folder that mail is put into: two Maildirs, `live` and `test`, which any mail program reads.
//! A message is written whole and then moved into place, so that nobody ever reads half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::carrier::Delivery;

/// The most messages in one Maildir: the oldest go, so that a forgotten folder does not fill the disk.
const MESSAGES_MAX: usize = 10_000;
/// How many go at once at the limit.
const MESSAGES_DROPPED: usize = 1_000;

/// A folder of mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// A message in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `mail_…`
    pub id: String,
    /// When it was decided on, seconds since 1970.
    pub created: i64,
    /// When it came.
    came: SystemTime,
    file: PathBuf,
}

impl Folder {
    /// The folder at `path`; made when the first mail comes.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn maildir(&self, livemode: bool) -> PathBuf {
        self.path.join(if livemode { "live" } else { "test" })
    }

    /// Puts a message in. One that is there already is not put in again: it has the mail's own name.
    pub async fn deliver(
        &self,
        livemode: bool,
        id: &str,
        created: i64,
        message: Vec<u8>,
    ) -> Delivery {
        let maildir = self.maildir(livemode);
        let name = format!("{created}.{id}.perennial");
        let done = tokio::task::spawn_blocking(move || put(&maildir, &name, &message)).await;
        match done {
            Ok(Ok(())) => Delivery::Delivered,
            Ok(Err(error)) => Delivery::Unreachable(format!("the mail folder: {error}")),
            Err(error) => Delivery::Unreachable(format!("the mail folder: {error}")),
        }
    }

    /// Drops the oldest messages where there are too many.
    ///
    /// # Errors
    /// When the folder can't be read or written.
    pub async fn tidy(&self) -> io::Result<()> {
        let maildirs = [self.maildir(true), self.maildir(false)];
        let tidied =
            tokio::task::spawn_blocking(move || maildirs.iter().try_for_each(|m| make_room(m)));
        tidied.await.map_err(io::Error::other)?
    }

    /// The messages of a mode, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the folder can't be read. A folder that is not there yet is empty.
    pub async fn list(&self, livemode: bool, limit: usize) -> io::Result<Vec<Kept>> {
        let maildir = self.maildir(livemode);
        let listed = tokio::task::spawn_blocking(move || {
            let mut kept = kept(&maildir)?;
            kept.sort_by(|one, other| (other.came, &other.id).cmp(&(one.came, &one.id)));
            kept.truncate(limit);
            Ok(kept)
        });
        listed.await.map_err(io::Error::other)?
    }

    /// The bytes of a message, if it is there.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub async fn read(&self, livemode: bool, id: &str) -> io::Result<Option<Vec<u8>>> {
        let (maildir, id) = (self.maildir(livemode), id.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            let kept = kept(&maildir)?.into_iter().find(|kept| kept.id == id);
            kept.map(|kept| fs::read(kept.file)).transpose()
        });
        read.await.map_err(io::Error::other)?
    }
}

fn put(maildir: &Path, name: &str, message: &[u8]) -> io::Result<()> {
    for part in ["tmp", "new", "cur"] {
        // Only for those whose server it is: mail is private, and its links let people in.
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(maildir.join(part))?;
    }
    let place = maildir.join("new").join(name);
    let seen = maildir.join("cur");
    if place.try_exists()? || was_seen(&seen, name)? {
        return Ok(());
    }
    let draft = maildir.join("tmp").join(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&draft)?;
    file.write_all(message)?;
    file.sync_all()?;
    fs::rename(&draft, &place)?;
    File::open(maildir.join("new"))?.sync_all()
}

/// Whether a mail program has moved it on, adding its marks to the name.
fn was_seen(folder: &Path, name: &str) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let file = entry?.file_name();
        let file = file.to_string_lossy();
        if file
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Drops the oldest messages of a Maildir that is full.
fn make_room(maildir: &Path) -> io::Result<()> {
    let mut kept = kept(maildir)?;
    if kept.len() <= MESSAGES_MAX {
        return Ok(());
    }
    kept.sort_by_key(|kept| kept.came);
    tracing::warn!(
        folder = %maildir.display(),
        "the mail folder is full; its oldest {MESSAGES_DROPPED} messages go"
    );
    for old in kept.into_iter().take(MESSAGES_DROPPED) {
        fs::remove_file(old.file)?;
    }
    Ok(())
}

/// The messages in a Maildir, in any order.
fn kept(maildir: &Path) -> io::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for part in ["new", "cur"] {
        let entries = match fs::read_dir(maildir.join(part)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What we did not put there is not ours to show or to drop.
            let mut parts = name.splitn(3, '.');
            let (Some(created), Some(id), Some(end)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if let (Ok(created), true) = (created.parse(), end.starts_with("perennial")) {
                kept.push(Kept {
                    id: id.to_owned(),
                    created,
                    came: entry.metadata()?.modified()?,
                    file: entry.path(),
                });
            }
        }
    }
    Ok(kept)
}
