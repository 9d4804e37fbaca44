//! Takes out of a wasm module the functions that are named in it but that this product never calls.
//!
//! Views are kept behind pointers, and a compiler can't know which of the functions behind a pointer are never
//! asked for. Their bodies are replaced by one instruction that stops the program, after which the optimiser drops
//! what only they needed. The format is that of the WebAssembly core specification, chapter 5 (binary format).

use std::collections::HashMap;

/// The section of names and the like, of imports, of exports, and of bodies.
const CUSTOM: u8 = 0;
const IMPORT: u8 = 2;
const EXPORT: u8 = 7;
const CODE: u8 = 10;

/// A body without local variables whose only instruction is `unreachable`.
const STOP: [u8; 3] = [0x00, 0x00, 0x0b];

/// Shorter bodies may be shared: the compiler keeps one of several functions that are equal, under any of their names.
/// A future that awaits views is longer, and like no other.
const BYTES_MIN: usize = 200;

/// Returns the module without the bodies of functions whose name contains `part`, without its exports whose name contains
/// `export`, and without its names; `None` where the module does not read as one.
pub fn snip(module: &[u8], part: &str, export: &str) -> Option<Vec<u8>> {
    let mut out = module.get(..8)?.to_vec();
    let mut sections = Vec::new();
    let mut rest = Reader(module.get(8..)?);
    while !rest.0.is_empty() {
        sections.push((rest.byte()?, rest.sized()?));
    }
    let names = sections
        .iter()
        .filter(|(kind, _)| *kind == CUSTOM)
        .find_map(|(_, body)| names(Reader(body)))
        .unwrap_or_default();
    let imported = sections
        .iter()
        .find(|(kind, _)| *kind == IMPORT)
        .map_or(Some(0), |(_, body)| imported_functions(Reader(body)))?;
    for (kind, body) in sections {
        match kind {
            CUSTOM => {}
            EXPORT => section(&mut out, kind, &unexported(Reader(body), export)?),
            CODE => section(
                &mut out,
                kind,
                &without(Reader(body), imported, &names, part)?,
            ),
            _ => section(&mut out, kind, body),
        }
    }
    Some(out)
}

/// The code section, with the bodies of the functions so named replaced.
fn without(
    mut code: Reader,
    imported: u32,
    names: &HashMap<u32, &[u8]>,
    part: &str,
) -> Option<Vec<u8>> {
    let count = code.number()?;
    let mut out = Vec::with_capacity(code.0.len());
    write_number(&mut out, count);
    for index in imported..imported.checked_add(count)? {
        let body = code.sized()?;
        let named = names.get(&index).is_some_and(|name| contains(name, part));
        let body = if named && body.len() >= BYTES_MIN {
            &STOP[..]
        } else {
            body
        };
        write_number(&mut out, u32::try_from(body.len()).ok()?);
        out.extend_from_slice(body);
    }
    Some(out)
}

/// The export section, without what is so named.
fn unexported(mut exports: Reader, part: &str) -> Option<Vec<u8>> {
    let (mut count, mut kept) = (0, Vec::new());
    for _ in 0..exports.number()? {
        let (name, kind, index) = (exports.sized()?, exports.byte()?, exports.number()?);
        if contains(name, part) {
            continue;
        }
        count += 1;
        write_number(&mut kept, u32::try_from(name.len()).ok()?);
        kept.extend_from_slice(name);
        kept.push(kind);
        write_number(&mut kept, index);
    }
    let mut out = Vec::with_capacity(kept.len());
    write_number(&mut out, count);
    out.extend(kept);
    Some(out)
}

fn contains(name: &[u8], part: &str) -> bool {
    name.windows(part.len())
        .any(|window| window == part.as_bytes())
}

/// The names of functions by index; `None` where the custom section is another one.
fn names(mut section: Reader<'_>) -> Option<HashMap<u32, &[u8]>> {
    if section.sized()? != b"name" {
        return None;
    }
    while !section.0.is_empty() {
        let (kind, body) = (section.byte()?, section.sized()?);
        if kind == 1 {
            let mut body = Reader(body);
            return (0..body.number()?)
                .map(|_| Some((body.number()?, body.sized()?)))
                .collect();
        }
    }
    None
}

/// How many functions are imported: they come first in the numbering.
fn imported_functions(mut section: Reader) -> Option<u32> {
    let mut functions = 0;
    for _ in 0..section.number()? {
        section.sized()?;
        section.sized()?;
        match section.byte()? {
            0 => {
                section.number()?;
                functions += 1;
            }
            1 => {
                section.byte()?;
                section.limits()?;
            }
            2 => section.limits()?,
            3 => {
                section.byte()?;
                section.byte()?;
            }
            4 => {
                section.byte()?;
                section.number()?;
            }
            _ => return None,
        }
    }
    Some(functions)
}

fn section(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    write_number(out, u32::try_from(body.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(body);
}

/// Writes a number in LEB128, as everything in the format is counted.
fn write_number(out: &mut Vec<u8>, mut number: u32) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Bytes behind their count.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn limits(&mut self) -> Option<()> {
        let bounded = self.byte()? & 1 == 1;
        self.number()?;
        if bounded {
            self.number()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::snip;

    /// One type, two functions `keep_me` and `drop_me` that both have a body of `nops` instructions.
    fn module(nops: usize) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x03\x02\0\0".to_vec();
        let mut body = Vec::new();
        super::write_number(&mut body, u32::try_from(nops + 2).unwrap_or_default());
        body.push(0);
        body.extend(vec![0x01; nops]);
        body.push(0x0b);
        let mut code = vec![2];
        code.extend([body.clone(), body].concat());
        super::section(&mut module, 10, &code);
        let names = b"\x04name\x01\x13\x02\0\x07keep_me\x01\x07drop_me";
        super::section(&mut module, 0, names);
        module
    }

    #[test]
    fn only_long_functions_of_that_name_go() -> Result<(), &'static str> {
        let nops = 250;
        let code = |module: &[u8]| {
            module
                .windows(250)
                .filter(|part| part.iter().all(|byte| *byte == 1))
                .count()
        };
        let long = module(nops);
        assert_eq!(code(&long), 2);
        let snipped = snip(&long, "drop_", "gone").ok_or("unread")?;
        assert_eq!(code(&snipped), 1);
        assert!(
            snipped.ends_with(&[3, 0, 0, 0x0b]),
            "the second one stops at once"
        );
        assert_eq!(code(&snip(&long, "other", "gone").ok_or("unread")?), 2);
        let short = snip(&module(3), "drop_", "gone").ok_or("unread")?;
        assert!(
            short.ends_with(&[5, 0, 1, 1, 1, 0x0b]),
            "a short one may be shared"
        );
        Ok(())
    }

    #[test]
    fn exports_of_that_name_go() -> Result<(), &'static str> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        super::section(
            &mut module,
            7,
            b"\x03\x04gone\0\0\x04stay\0\x01\x07so_gone\0\x02",
        );
        let snipped = snip(&module, "drop_", "gone").ok_or("unread")?;
        assert!(
            snipped.ends_with(b"\x07\x08\x01\x04stay\0\x01"),
            "{snipped:?}"
        );
        Ok(())
    }

    #[test]
    fn half_a_module_is_none() {
        let whole = module(40);
        for length in [0, 7, 12, 30, whole.len() - 1] {
            assert_eq!(snip(&whole[..length], "drop_", "gone"), None, "{length}");
        }
    }
}
