//! What a letter says, on a card: what it is about, the amount, the words, the button, and the figures.

use std::fmt::Write as _;

use perennial::theme::{Palette, Rgb};

use super::{Look, escaped, hue, isolated};
use crate::mail::letter::{Bill, Frame, Letter, Sum};

/// The whole card.
pub(super) fn write(html: &mut String, letter: &Letter, frame: &Frame<'_>, look: &Look) {
    let (light, radius) = (&look.light, look.radius_px);
    let _ = write!(
        html,
        "<div class=\"card\" style=\"background:{};border:1px solid {};border-radius:{}px;overflow:hidden\">\n\
         <div class=\"accent\" style=\"height:4px;background:{};font-size:0;line-height:0\" \
         aria-hidden=\"true\"></div>\n\
         <div class=\"inner\" style=\"padding:32px 36px 14px;overflow-wrap:break-word;word-break:break-word\">\n",
        light.surface_raised,
        light.line,
        radius + radius / 2,
        light.accent,
    );
    heading(html, letter, light);
    paragraph(html, &letter.greeting);
    for text in &letter.paragraphs {
        paragraph(html, text);
    }
    if let (Some(action), Some(url)) = (&letter.action, frame.open_url) {
        button(html, action, url, light, radius);
    }
    facts(html, letter, light);
    if let Some(bill) = &letter.bill {
        table(html, letter, bill, light);
    }
    for text in &letter.closing {
        paragraph(html, text);
    }
    if let Some(email) = frame.support_email {
        let text = escaped(&letter.words.letter_write_us(email));
        let link = format!(
            "<a class=\"link\" href=\"mailto:{}\" style=\"color:{}\">{}</a>",
            escaped(email),
            light.link,
            isolated(email)
        );
        let _ = writeln!(
            html,
            "<p style=\"margin:20px 0 14px\">{}</p>",
            text.replacen(&escaped(email), &link, 1)
        );
    }
    html.push_str("</div>\n</div>\n");
}

/// What kind of news it is, the news, and the amount.
fn heading(html: &mut String, letter: &Letter, colours: &Palette) {
    let (class, text, ground) = hue(letter.mark.tone, colours);
    let _ = write!(
        html,
        "<p style=\"margin:0 0 12px\"><span class=\"{class}\" style=\"display:inline-block;background:{ground};\
         color:{text};border-radius:999px;padding:3px 12px;font-size:13px;font-weight:600;line-height:1.5\">{}</span></p>\n\
         <h1 style=\"margin:0 0 {}px;font-size:24px;line-height:1.25;font-weight:700;\
         letter-spacing:-0.015em;text-wrap:balance;color:{}\">{}</h1>\n",
        escaped(letter.mark.text),
        if letter.sum.is_some() { 8 } else { 16 },
        colours.text,
        escaped(&letter.title),
    );
    if let Some(sum) = &letter.sum {
        amount(html, sum, colours);
    }
}

/// The amount, larger than everything else, and what belongs to it beside.
fn amount(html: &mut String, sum: &Sum, colours: &Palette) {
    let note = sum.note.as_deref().map_or_else(String::new, |note| {
        format!(
            " <span class=\"quiet\" style=\"display:inline-block;font-size:15px;color:{}\">{}</span>",
            colours.text_quiet,
            escaped(note)
        )
    });
    let _ = writeln!(
        html,
        "<p style=\"margin:0 0 20px;line-height:1.4\"><span style=\"font-size:32px;line-height:1.25;font-weight:700;\
         letter-spacing:-0.02em;font-variant-numeric:tabular-nums;white-space:nowrap;margin-inline-end:4px\">{}</span>{note}</p>",
        isolated(&sum.amount),
    );
}

fn paragraph(html: &mut String, text: &str) {
    let _ = writeln!(html, "<p style=\"margin:0 0 14px\">{}</p>", escaped(text));
}

/// A link that looks like a button, also where backgrounds are not shown. Old Outlook knows no padding of
/// links; there, spaces that only it reads make room.
fn button(html: &mut String, text: &str, url: &str, colours: &Palette, radius_px: u8) {
    let _ = writeln!(
        html,
        "<p style=\"margin:24px 0 26px\"><a class=\"button\" href=\"{}\" style=\"display:inline-block;\
         background:{};color:{};border-radius:{radius_px}px;padding:13px 24px;font-weight:600;\
         text-decoration:none;line-height:1.3;mso-padding-alt:0\">\
         <!--[if mso]><i style=\"mso-font-width:200%;mso-text-raise:20pt\">&emsp;</i><![endif]-->{}\
         <!--[if mso]><i style=\"mso-font-width:200%\">&emsp;</i><![endif]--></a></p>",
        escaped(url),
        colours.action,
        colours.on_action,
        escaped(text)
    );
}

/// Names and values: a table with a heading for each row.
fn facts(html: &mut String, letter: &Letter, colours: &Palette) {
    if letter.facts.is_empty() {
        return;
    }
    html.push_str("<table style=\"width:100%;border-collapse:collapse;margin:8px 0 20px\">\n");
    for (name, value) in &letter.facts {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\" class=\"line quiet\" style=\"{};font-weight:400;white-space:nowrap;\
             padding-inline-end:16px;color:{}\">{}</th>\
             <td class=\"line\" style=\"{};text-align:end;text-wrap:balance;font-weight:600\">{}</td></tr>",
            cell(colours.line),
            colours.text_quiet,
            escaped(name),
            cell(colours.line),
            isolated(value)
        );
    }
    html.push_str("</table>\n");
}

/// The style of a cell below a hairline.
fn cell(line: Rgb) -> String {
    format!("border-top:1px solid {line};{CELL}")
}

/// The style of any cell.
const CELL: &str = "padding:9px 0;text-align:start;vertical-align:top;font-size:15px";

/// The lines of an invoice and its sums: a hairline above each line and above the sums that matter,
/// none between the others.
fn table(html: &mut String, letter: &Letter, bill: &Bill, colours: &Palette) {
    let words = letter.words;
    let (line, quiet) = (colours.line, colours.text_quiet);
    let _ = writeln!(
        html,
        "<table style=\"width:100%;border-collapse:collapse;margin:8px 0 20px\">\n<thead><tr>\
         <th scope=\"col\" class=\"quiet\" style=\"padding:0 0 6px;text-align:start;font-size:13px;\
         font-weight:400;color:{quiet}\">{}</th><th scope=\"col\" class=\"quiet\" \
         style=\"padding:0 0 6px;text-align:end;font-size:13px;font-weight:400;color:{quiet}\">{}</th>\
         </tr></thead>\n<tbody>",
        escaped(words.document_description()),
        escaped(words.document_amount())
    );
    let mut row = |style: &str, name: &str, amount: &str| {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\" class=\"line\" style=\"padding-inline-end:16px;{style}\">{name}</th>\
             <td class=\"line\" style=\"{style};text-align:end;white-space:nowrap;\
             font-variant-numeric:tabular-nums\">{}</td></tr>",
            isolated(amount)
        );
    };
    let ruled = cell(line);
    for own in &bill.lines {
        let mut what = isolated(&own.what);
        if let Some(period) = &own.period {
            let _ = write!(
                what,
                "<br><span class=\"quiet\" style=\"font-size:13px;color:{quiet}\">{}</span>",
                isolated(period)
            );
        }
        row(&format!("{ruled};font-weight:400"), &what, &own.amount);
    }
    if let Some(more) = &bill.more {
        row(&format!("{ruled};font-weight:400"), &isolated(more), "");
    }
    for (at, (name, amount, heavy)) in bill.sums.iter().enumerate() {
        let style = match (heavy, at) {
            (true, _) => format!("{ruled};font-weight:700"),
            (false, 0) => format!("{ruled};padding-bottom:3px;font-weight:400"),
            (false, _) => format!("{CELL};padding-top:3px;padding-bottom:6px;font-weight:400"),
        };
        row(&style, &isolated(name), amount);
    }
    html.push_str("</tbody></table>\n");
}
