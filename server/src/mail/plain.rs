//! A letter as plain text: for programs without HTML, and readers who prefer none.

use super::letter::{Bill, Frame, Letter};

/// The whole text. Lines are as long as what they say; programs wrap them.
pub(super) fn document(letter: &Letter, frame: &Frame<'_>) -> String {
    let words = letter.words;
    let mut parts = vec![letter.title.clone()];
    if let Some(sum) = &letter.sum {
        parts.push(match &sum.note {
            Some(note) => words.format_join(&sum.amount, note),
            None => sum.amount.clone(),
        });
    }
    parts.push(letter.greeting.clone());
    parts.extend(letter.paragraphs.iter().cloned());
    if let (Some(action), Some(url)) = (&letter.action, frame.open_url) {
        parts.push(format!("{action}\n{url}"));
    }
    if !letter.facts.is_empty() {
        let facts = letter.facts.iter();
        parts.push(lines(facts.map(|(name, value)| format!("{name}: {value}"))));
    }
    if let Some(bill) = &letter.bill {
        parts.push(bill_text(bill));
    }
    parts.extend(letter.closing.iter().cloned());
    parts.extend(
        frame
            .support_email
            .map(|email| words.letter_write_us(email)),
    );
    parts.push("-- ".to_owned());
    let mut text = parts.join("\n\n");
    text.push('\n');
    let mut foot = vec![frame.merchant.to_owned()];
    foot.extend(frame.imprint.iter().cloned());
    foot.extend(frame.personal(words));
    foot.extend(frame.reasons(words));
    if let Some(url) = frame.unsubscribe_url {
        foot.push(format!("{}: {url}", words.letter_stop()));
    }
    text.push_str(&foot.join("\n"));
    text.push('\n');
    text
}

fn bill_text(bill: &Bill) -> String {
    let bought = bill.lines.iter();
    let bought = bought.map(|line| match &line.period {
        Some(period) => format!("{}: {}\n  {period}", line.what, line.amount),
        None => format!("{}: {}", line.what, line.amount),
    });
    let sums = bill.sums.iter();
    let sums = sums.map(|(name, amount, _)| format!("{name}: {amount}"));
    lines(bought.chain(bill.more.clone()).chain(sums))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}
