//! A letter as HTML that mail programs of today and of long ago show alike: one column, styles on the
//! elements, tables for nothing but tables. In the merchant's colours, on light and on dark ground.

use std::fmt::Write as _;

use perennial::theme::{Appearance, Font, Mode, Palette, Rgb};

use super::letter::{Bill, Frame, Letter};

/// The widest a letter gets, in pixels.
const WIDTH_PX: u32 = 560;

/// The whole document.
pub(super) fn document(letter: &Letter, frame: &Frame<'_>) -> String {
    let words = letter.words;
    let look = Look::of(frame);
    let (tag, dir) = (words.locale().tag(), words.locale().dir());
    let schemes = look.schemes;
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"{tag}\" dir=\"{dir}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"{schemes}\">\n\
         <meta name=\"supported-color-schemes\" content=\"{schemes}\">\n\
         <title>{}</title>\n<style>{}</style>\n</head>\n\
         <body class=\"ground\" style=\"margin:0;padding:0;background:{};-webkit-text-size-adjust:100%\">\n",
        escaped(&letter.subject),
        look.sheet,
        look.light.surface_sunken,
    );
    let _ = writeln!(
        html,
        "<div style=\"display:none;max-height:0;overflow:hidden\" aria-hidden=\"true\">{}</div>",
        escaped(&letter.preview)
    );
    let _ = writeln!(
        html,
        "<div role=\"article\" aria-roledescription=\"email\" aria-label=\"{}\" lang=\"{tag}\" dir=\"{dir}\" \
         style=\"max-width:{WIDTH_PX}px;margin:0 auto;padding:24px 12px;font-family:{};font-size:16px;\
         line-height:1.55;color:{}\" class=\"text\">",
        escaped(&letter.subject),
        look.font,
        look.light.text,
    );
    head(&mut html, frame, &look);
    card(&mut html, letter, frame, &look);
    foot(&mut html, letter, frame, &look);
    html.push_str("</div>\n</body>\n</html>\n");
    html
}

/// What the styles need of a brand.
struct Look {
    light: Palette,
    /// Rules for dark ground; programs that know none show the light one.
    sheet: String,
    schemes: &'static str,
    font: &'static str,
    radius_px: u8,
}

impl Look {
    fn of(frame: &Frame<'_>) -> Self {
        let theme = frame.theme;
        let dark = Palette::of(theme, Mode::Dark);
        let (light, schemes) = match theme.appearance {
            Appearance::Light => (Palette::of(theme, Mode::Light), "light"),
            Appearance::Dark => (dark, "dark"),
            Appearance::Auto => (Palette::of(theme, Mode::Light), "light dark"),
        };
        let mut sheet = format!(
            ":root{{color-scheme:{schemes};supported-color-schemes:{schemes}}}\
             a{{text-underline-offset:2px}}.button:hover{{background:{}!important}}\
             .night{{display:none}}\
             @media(max-width:480px){{.card{{padding:24px 20px 8px!important}}}}",
            light.action_hover
        );
        if theme.appearance == Appearance::Auto {
            let _ = write!(
                sheet,
                "@media(prefers-color-scheme:dark){{{}}}",
                night(&dark)
            );
        }
        Self {
            light,
            sheet,
            schemes,
            font: family(theme.font),
            radius_px: theme.radius_px.min(16),
        }
    }
}

/// The rules that turn a light letter dark.
fn night(dark: &Palette) -> String {
    let mut rules = format!(
        ".ground{{background:{}!important}}.card{{background:{}!important;border-color:{}!important}}\
         .text,.text h1,.text td,.text th{{color:{}!important}}.quiet,.text .quiet{{color:{}!important}}\
         .line{{border-color:{}!important}}.link{{color:{}!important}}",
        dark.surface_sunken,
        dark.surface_raised,
        dark.line,
        dark.text,
        dark.text_quiet,
        dark.line,
        dark.link,
    );
    let _ = write!(
        rules,
        ".button{{background:{}!important;color:{}!important}}.button:hover{{background:{}!important}}\
         .accent{{background:{}!important}}.day{{display:none!important}}\
         .night{{display:inline-block!important}}",
        dark.action, dark.on_action, dark.action_hover, dark.accent,
    );
    rules
}

/// Typefaces that readers have; nothing is loaded from anywhere.
fn family(font: Font) -> &'static str {
    match font {
        Font::Sans | Font::System => {
            "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,'PingFang SC',\
             'Microsoft YaHei','Noto Sans CJK SC',sans-serif"
        }
        Font::Serif => "Georgia,'Times New Roman','Songti SC','Noto Serif CJK SC',serif",
        Font::Rounded => {
            "ui-rounded,'SF Pro Rounded',Nunito,'Segoe UI',Arial,'PingFang SC',sans-serif"
        }
        Font::Mono => "ui-monospace,'SF Mono',Menlo,Consolas,monospace",
    }
}

/// The merchant's logo, or its name where there is none that mail programs show.
fn head(html: &mut String, frame: &Frame<'_>, look: &Look) {
    let theme = frame.theme;
    let day = theme.logo.as_deref().and_then(|logo| picture(frame, logo));
    let night = theme
        .logo_dark
        .as_deref()
        .and_then(|logo| picture(frame, logo));
    html.push_str("<div style=\"padding:0 8px 20px\">");
    match (day, night) {
        (Some(day), Some(night)) if theme.appearance == Appearance::Auto => {
            logo(html, frame, &day, "day", "inline-block");
            logo(html, frame, &night, "night", "none");
        }
        (Some(day), night) => {
            let only = night.filter(|_| theme.appearance == Appearance::Dark);
            logo(html, frame, &only.unwrap_or(day), "", "inline-block");
        }
        (None, _) => {
            let _ = write!(
                html,
                "<span class=\"text\" style=\"font-size:18px;font-weight:700;letter-spacing:-0.01em;\
                 color:{}\">{}</span>",
                look.light.text,
                escaped(frame.merchant)
            );
        }
    }
    html.push_str("</div>\n");
}

fn logo(html: &mut String, frame: &Frame<'_>, url: &str, class: &str, display: &str) {
    let _ = write!(
        html,
        "<img class=\"{class}\" src=\"{}\" alt=\"{}\" height=\"32\" \
         style=\"display:{display};height:32px;max-width:240px;border:0\">",
        escaped(url),
        escaped(frame.merchant)
    );
}

/// The whole address of a picture. Mail programs show no SVG, so there is none of them.
fn picture(frame: &Frame<'_>, logo: &str) -> Option<String> {
    let path = logo.split(['?', '#']).next().unwrap_or_default();
    if path.to_ascii_lowercase().ends_with(".svg") {
        return None;
    }
    Some(match logo.strip_prefix('/') {
        Some(path) => format!("{}/{path}", frame.origin),
        None => logo.to_owned(),
    })
}

/// What the letter says.
fn card(html: &mut String, letter: &Letter, frame: &Frame<'_>, look: &Look) {
    let light = &look.light;
    let radius = look.radius_px;
    let _ = write!(
        html,
        "<div class=\"card\" style=\"background:{};border:1px solid {};border-radius:{}px;\
         padding:36px 36px 20px\">\n\
         <div class=\"accent\" style=\"width:40px;height:4px;border-radius:2px;background:{};\
         margin:0 0 20px;font-size:0;line-height:0\" aria-hidden=\"true\"></div>\n\
         <h1 style=\"margin:0 0 16px;font-size:24px;line-height:1.25;font-weight:700;\
         letter-spacing:-0.015em;color:{}\">{}</h1>\n",
        light.surface_raised,
        light.line,
        radius + radius / 2,
        light.accent,
        light.text,
        escaped(&letter.title),
    );
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
            "<p style=\"margin:20px 0 0\">{}</p>",
            text.replacen(&escaped(email), &link, 1)
        );
    }
    html.push_str("</div>\n");
}

fn paragraph(html: &mut String, text: &str) {
    let _ = writeln!(html, "<p style=\"margin:0 0 14px\">{}</p>", escaped(text));
}

/// A link that looks like a button, also where backgrounds are not shown.
fn button(html: &mut String, text: &str, url: &str, colours: &Palette, radius_px: u8) {
    let _ = writeln!(
        html,
        "<p style=\"margin:24px 0 26px\"><a class=\"button\" href=\"{}\" style=\"display:inline-block;\
         background:{};color:{};border-radius:{radius_px}px;padding:13px 24px;font-weight:600;\
         text-decoration:none;line-height:1.3\">{}</a></p>",
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
            "<tr><th scope=\"row\" class=\"line quiet\" style=\"{};font-weight:400;padding-inline-end:16px;\
             white-space:nowrap;color:{}\">{}</th>\
             <td class=\"line\" style=\"{};text-align:end;font-weight:600\">{}</td></tr>",
            cell(colours.line),
            colours.text_quiet,
            escaped(name),
            cell(colours.line),
            isolated(value)
        );
    }
    html.push_str("</table>\n");
}

/// The style of a cell.
fn cell(line: Rgb) -> String {
    format!(
        "border-top:1px solid {line};padding:9px 0;text-align:start;vertical-align:top;font-size:15px"
    )
}

/// The lines of an invoice and its sums.
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
            "<tr><th scope=\"row\" class=\"line\" style=\"{};padding-inline-end:16px;{style}\">{}</th>\
             <td class=\"line\" style=\"{};text-align:end;white-space:nowrap;\
             font-variant-numeric:tabular-nums;{style}\">{}</td></tr>",
            cell(line),
            isolated(name),
            cell(line),
            isolated(amount)
        );
    };
    for (what, amount) in &bill.lines {
        row("font-weight:400", what, amount);
    }
    if let Some(more) = &bill.more {
        row("font-weight:400", more, "");
    }
    for (name, amount, heavy) in &bill.sums {
        let style = if *heavy {
            "font-weight:700"
        } else {
            "font-weight:400"
        };
        row(style, name, amount);
    }
    html.push_str("</tbody></table>\n");
}

/// Who sends it, why, and how to stop it.
fn foot(html: &mut String, letter: &Letter, frame: &Frame<'_>, look: &Look) {
    let words = letter.words;
    let quiet = look.light.text_quiet;
    let _ = writeln!(
        html,
        "<div class=\"quiet\" style=\"padding:20px 8px 0;font-size:13px;line-height:1.5;color:{quiet}\">"
    );
    let small = |html: &mut String, text: &str| {
        let _ = writeln!(html, "<p style=\"margin:0 0 8px\">{text}</p>");
    };
    if let Some(text) = frame.personal(words) {
        small(html, &escaped(&text));
    }
    small(html, &escaped(&frame.reasons(words).join(" ")));
    if let Some(url) = frame.unsubscribe_url {
        let link = format!(
            "<a class=\"link\" href=\"{}\" style=\"color:{}\">{}</a>",
            escaped(url),
            look.light.link,
            escaped(words.letter_stop())
        );
        small(html, &link);
    }
    let imprint: Vec<&str> = std::iter::once(frame.merchant)
        .chain(frame.imprint.iter().map(String::as_str))
        .collect();
    small(html, &escaped(&imprint.join(" · ")));
    html.push_str("</div>\n");
}

/// Text that keeps its own direction among words of the other one.
fn isolated(text: &str) -> String {
    format!("<bdi>{}</bdi>", escaped(text))
}

/// Text that may stand in an element or a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
