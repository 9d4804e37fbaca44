//! Breaking a text into lines.
#![expect(clippy::float_arithmetic, reason = "points on paper")]

use super::typeface::{Style, Typefaces, is_mark};

/// Breaks a text into lines of at most `width` points: at spaces, around Han characters and kana,
/// after hyphens and slashes; a word that is wider than a line is broken where the line ends. A
/// line break in the text is one. At most `lines_max` lines; the last then ends in an ellipsis.
pub(super) fn wrapped(
    faces: &Typefaces,
    text: &str,
    style: Style,
    width: f32,
    lines_max: usize,
) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        if lines.len() > lines_max {
            break;
        }
        if faces.width(paragraph.trim_end(), style) <= width {
            lines.extend(Some(paragraph.to_owned()).filter(|line| !line.trim().is_empty()));
        } else {
            lines.extend(broken(faces, paragraph, style, width, lines_max));
        }
    }
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            let mut short = last.trim_end().to_owned();
            while faces.width(&format!("{short}…"), style) > width && short.pop().is_some() {}
            *last = format!("{short}…");
        }
    }
    lines
}

/// A paragraph that needs more than one line. Words are measured one by one: a line is as wide as
/// its words, but for kerning between them.
fn broken(
    faces: &Typefaces,
    paragraph: &str,
    style: Style,
    width: f32,
    lines_max: usize,
) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0.0);
    for word in words(paragraph) {
        let bare = word.trim_end();
        let bare_width = faces.width(bare, style);
        if !line.is_empty() && used + bare_width > width {
            lines.push(std::mem::take(&mut line));
            used = 0.0;
        }
        line.push_str(word);
        used += if bare.len() == word.len() {
            bare_width
        } else {
            faces.width(word, style)
        };
        while used > width && faces.width(line.trim_end(), style) > width {
            let at = fitting(faces, &line, style, width);
            let rest = line.split_off(at);
            lines.push(std::mem::replace(&mut line, rest));
            used = faces.width(&line, style);
        }
        if lines.len() > lines_max {
            break;
        }
    }
    lines.extend(Some(line).filter(|line| !line.trim().is_empty()));
    lines
}

/// How many bytes of a word fit, at least one character.
fn fitting(faces: &Typefaces, word: &str, style: Style, width: f32) -> usize {
    let ends: Vec<usize> = word
        .char_indices()
        .filter(|(start, c)| *start > 0 && !is_mark(*c))
        .map(|(start, _)| start)
        .collect();
    // The first end that is too wide; widths grow with the text.
    let fits = ends.partition_point(|end| {
        word.get(..*end)
            .is_some_and(|part| faces.width(part, style) <= width)
    });
    let first = ends.first().copied().unwrap_or(word.len());
    ends.get(fits.saturating_sub(1)).copied().unwrap_or(first)
}

/// Cuts a paragraph where a line may end. Each piece but the last ends with a space or where the
/// scripts allow a break without one.
fn words(paragraph: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in paragraph.char_indices() {
        if let Some(before) = before
            && may_break(before, c)
            && let Some(piece) = paragraph.get(start..at)
        {
            pieces.push(piece);
            start = at;
        }
        before = Some(c);
    }
    pieces.extend(paragraph.get(start..).filter(|piece| !piece.is_empty()));
    pieces
}

fn may_break(before: char, after: char) -> bool {
    if after == ' ' {
        return false;
    }
    if matches!(before, ' ' | '\u{3000}' | '-' | '/' | '–') {
        return true;
    }
    (is_east(before) || is_east(after)) && !never_starts(after) && !never_ends(before)
}

fn is_east(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Closing punctuation and small kana stay with what stands before them.
fn never_starts(c: char) -> bool {
    matches!(
        c,
        '、' | '。'
            | '，'
            | '．'
            | '：'
            | '；'
            | '！'
            | '？'
            | '）'
            | '」'
            | '』'
            | '】'
            | '》'
            | '〉'
            | '〕'
            | '］'
            | '｝'
            | 'ー'
            | '々'
            | 'ぁ'
            | 'ぃ'
            | 'ぅ'
            | 'ぇ'
            | 'ぉ'
            | 'っ'
            | 'ゃ'
            | 'ゅ'
            | 'ょ'
            | 'ァ'
            | 'ィ'
            | 'ゥ'
            | 'ェ'
            | 'ォ'
            | 'ッ'
            | 'ャ'
            | 'ュ'
            | 'ョ'
            | '・'
            | ','
            | '.'
            | ':'
            | ';'
            | '!'
            | '?'
            | ')'
            | ']'
            | '%'
            | '”'
            | '’'
            | '\u{a0}'
    )
}

fn never_ends(c: char) -> bool {
    matches!(
        c,
        '（' | '「'
            | '『'
            | '【'
            | '《'
            | '〈'
            | '〔'
            | '［'
            | '｛'
            | '('
            | '['
            | '“'
            | '‘'
            | '\u{a0}'
            | '¥'
            | '$'
            | '€'
            | '£'
    )
}

#[cfg(test)]
mod tests {
    //! Where lines end.
    use super::*;
    use crate::document::typeface::{Weight, typefaces};
    use perennial::theme::Rgb;

    const STYLE: Style = Style {
        weight: Weight::Regular,
        size: 10.0,
        han: "zh-Hans",
        ink: Rgb(0, 0, 0),
    };

    #[test]
    fn pieces_end_where_a_line_may_end() {
        let check = |text: &str, expected: &[&str]| assert_eq!(words(text), expected, "{text}");
        check("one two  three", &["one ", "two  ", "three"]);
        check("well-known and/or", &["well-", "known ", "and/", "or"]);
        check("12,50\u{a0}€ net", &["12,50\u{a0}€ ", "net"]);
        check("团队版，按席位", &["团", "队", "版，", "按", "席", "位"]);
        check("（上海）有限", &["（上", "海）", "有", "限"]);
        check("チームプラン", &["チー", "ム", "プ", "ラ", "ン"]);
        check("한국어 이름", &["한국어 ", "이름"]);
        check("", &[]);
    }

    #[test]
    fn lines_fit_and_lose_nothing() {
        let faces = typefaces().unwrap();
        let long = "Donaudampfschifffahrtsgesellschaft".repeat(3);
        let texts = [
            "short",
            "several words that need two lines",
            &long,
            "团队版按席位计费含优先支持",
        ];
        for text in texts {
            for width in [30.0, 60.0, 90.0, 400.0] {
                let lines = wrapped(faces, text, STYLE, width, 100);
                assert_eq!(lines.concat(), text);
                for line in &lines {
                    assert!(
                        faces.width(line.trim_end(), STYLE) <= width,
                        "{line} in {width}"
                    );
                }
            }
        }
    }

    #[test]
    fn too_many_lines_end_in_an_ellipsis() {
        let faces = typefaces().unwrap();
        let lines = wrapped(faces, &"word ".repeat(50), STYLE, 80.0, 3);
        assert_eq!(lines.len(), 3);
        assert!(
            lines
                .iter()
                .all(|line| faces.width(line.trim_end(), STYLE) <= 80.0)
        );
        assert!(lines.last().unwrap().ends_with('…'));
    }

    #[test]
    fn a_break_in_the_text_is_a_break() {
        let faces = typefaces().unwrap();
        assert_eq!(
            wrapped(faces, "one\n\ntwo\r\n", STYLE, 400.0, 10),
            ["one", "two"]
        );
        // Narrower than any character: one character a line, and an end.
        assert_eq!(wrapped(faces, "abc", STYLE, 1.0, 10), ["a", "b", "c"]);
    }
}
