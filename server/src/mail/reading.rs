//! Reading a message that was put into the folder: our own, so only what we write is understood.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Parts within parts, at most.
const DEPTH_MAX: u32 = 4;

/// A message taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Names and values, in order, words decoded.
    pub headers: Vec<(String, String)>,
    /// The plain text.
    pub plain: String,
    /// The HTML.
    pub html: String,
    /// The document that came with it: its name and its bytes.
    pub pdf: Option<(String, Vec<u8>)>,
}

impl Read {
    /// Takes a message apart.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let mut read = Self::default();
        let (head, _) = split_head(message);
        read.headers = headers(head)
            .into_iter()
            .map(|(name, value)| (name, words(&value)))
            .collect();
        read.part(message, DEPTH_MAX);
        read
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter();
        found
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }

    fn part(&mut self, part: &[u8], depth: u32) {
        let (head, body) = split_head(part);
        let headers = headers(head);
        let value = |name: &str| {
            let found = headers
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.as_str())
        };
        let kind = value("Content-Type");
        if let Some(boundary) = parameter(kind, "boundary").filter(|_| depth > 0) {
            for part in parts(body, boundary) {
                self.part(part, depth - 1);
            }
            return;
        }
        let content = decoded(body, value("Content-Transfer-Encoding"));
        let text = || String::from_utf8_lossy(&content).replace("\r\n", "\n");
        match kind.split(';').next().unwrap_or_default().trim() {
            "text/plain" => self.plain = text(),
            "text/html" => self.html = text(),
            "application/pdf" => {
                let name = parameter(value("Content-Disposition"), "filename");
                self.pdf = Some((name.unwrap_or("document.pdf").to_owned(), content));
            }
            _ => {}
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The lines before the first empty one, and what follows.
fn split_head(part: &[u8]) -> (&[u8], &[u8]) {
    match find(part, b"\r\n\r\n") {
        Some(at) => (
            part.get(..at).unwrap_or_default(),
            part.get(at + 4..).unwrap_or_default(),
        ),
        None => (part, &[]),
    }
}

/// Names and values; a line that begins with a space goes on with the one before.
fn headers(head: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(head)
        .replace("\r\n ", " ")
        .replace("\r\n\t", " ");
    text.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// A parameter of a header's value, with or without quotes.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|pair| {
        let (own, value) = pair.trim().split_once('=')?;
        (own.eq_ignore_ascii_case(name)).then(|| value.trim_matches('"'))
    })
}

/// What stands between the lines with the boundary.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}").into_bytes();
    let mut rest = body;
    let mut found = Vec::new();
    let Some(first) = find(rest, &mark) else {
        return found;
    };
    rest = rest.get(first + mark.len()..).unwrap_or_default();
    while let Some(end) = find(rest, &mark) {
        let part = rest.get(..end).unwrap_or_default();
        let part = part.strip_prefix(b"\r\n").unwrap_or(part);
        found.push(part.strip_suffix(b"\r\n").unwrap_or(part));
        rest = rest.get(end + mark.len()..).unwrap_or_default();
        if rest.starts_with(b"--") {
            break;
        }
    }
    found
}

fn decoded(body: &[u8], encoding: &str) -> Vec<u8> {
    match encoding.to_ascii_lowercase().as_str() {
        "base64" => {
            let plain: Vec<u8> = body
                .iter()
                .copied()
                .filter(|b| !b.is_ascii_whitespace())
                .collect();
            STANDARD.decode(plain).unwrap_or_default()
        }
        "quoted-printable" => quoted(body, b'\0'),
        _ => body.to_vec(),
    }
}

/// Quoted-printable (RFC 2045); `space` is what stands for a space beside the space.
fn quoted(body: &[u8], space: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            out.push(if byte == space { b' ' } else { byte });
            continue;
        }
        if let Some(next) = rest.strip_prefix(b"\r\n") {
            rest = next;
            continue;
        }
        let digits = rest
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(byte);
            rest = rest.get(2..).unwrap_or_default();
        }
    }
    out
}

/// The encoded words of a header's value (RFC 2047), decoded.
fn words(value: &str) -> String {
    let (mut out, mut rest) = (String::new(), value);
    while let Some(at) = rest.find("=?") {
        let (before, word) = rest.split_at(at);
        let mut fields = word.get(2..).unwrap_or_default().splitn(4, '?');
        let (Some(_), Some(way), Some(text), Some(after)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            break;
        };
        // White space between two encoded words is not part of the text.
        if !before.trim().is_empty() || out.is_empty() {
            out.push_str(before);
        }
        let bytes = match way {
            "b" | "B" => STANDARD.decode(text).unwrap_or_default(),
            _ => quoted(text.as_bytes(), b'_'),
        };
        out.push_str(&String::from_utf8_lossy(&bytes));
        rest = after.strip_prefix('=').unwrap_or(after);
    }
    out.push_str(rest);
    out
}
