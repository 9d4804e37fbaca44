//! What mails say, in three languages and both directions, whatever people are called.

use app::locale::Locale;
use perennial::theme::{Appearance, Rgb, Theme};

use super::letter::{Bill, BillLine, Frame, Letter, Mark, Sum, Tone};
use super::reading::Read;
use super::{Kind, envelope, html};

fn letter(locale: Locale, name: &str) -> Letter {
    let words = locale.words();
    Letter {
        words,
        subject: words.letter_failed_subject("€20.00", name),
        preview: words.letter_failed_title().to_owned(),
        mark: Mark {
            tone: Tone::Urgent,
            text: words.letter_mark_failed(),
        },
        title: words.letter_failed_title().to_owned(),
        sum: Some(Sum {
            amount: "€20.00".to_owned(),
            note: Some(words.letter_sum_invoice(name)),
        }),
        greeting: words.letter_hello(name),
        paragraphs: vec![words.letter_failed_text("€20.00", name)],
        action: Some(words.letter_pay("€20.00")),
        facts: vec![(words.letter_fact_invoice(), name.to_owned())],
        bill: Some(Bill {
            lines: vec![BillLine {
                what: name.to_owned(),
                period: Some(name.to_owned()),
                amount: "€20.00".to_owned(),
            }],
            more: Some(words.letter_more_lines(3)),
            sums: vec![(words.document_total().to_owned(), "€20.00".to_owned(), true)],
        }),
        closing: vec![words.letter_not_you().to_owned()],
    }
}

fn frame<'a>(theme: &'a Theme, name: &'a str) -> Frame<'a> {
    Frame {
        theme,
        merchant: name,
        imprint: vec![name.to_owned()],
        support_email: Some("help@halden.example"),
        recipient: "ada@example.com",
        origin: "https://pay.example",
        document_logo: None,
        open_url: Some("https://pay.example/m/0f"),
        open_until: Some("1 December 2026"),
        unsubscribe_url: Some("https://pay.example/u/0f"),
        test: true,
    }
}

const NAMES: [&str; 5] = [
    "<b onload=\"x\">&amp;'</b>",
    "Ada \"</title><script>alert(1)</script>",
    "علي بن أبي طالب",
    "\u{202e}evil\u{0007}",
    "林 小明",
];

#[test]
fn names_are_never_markup() {
    let theme = Theme::default();
    for locale in Locale::ALL {
        for name in NAMES {
            let html = letter(*locale, name).html(&frame(&theme, name));
            for bad in ["<b ", "<script", "onload=\"x", "\u{7}"] {
                assert!(!html.contains(bad), "{bad} in {html}");
            }
            // The tags that are ours are closed, and nothing else opens one.
            assert_eq!(html.matches("<p ").count(), html.matches("</p>").count());
            assert_eq!(
                html.matches("<table").count(),
                html.matches("</table>").count()
            );
            let tag = format!("lang=\"{}\" dir=\"{}\"", locale.tag(), locale.dir());
            assert!(
                html.starts_with(&format!("<!DOCTYPE html>\n<html {tag}>")),
                "{html}"
            );
        }
    }
    assert_eq!(
        html::escaped("<a href='\"&>"),
        "&lt;a href=&#39;&quot;&amp;&gt;"
    );
}

#[test]
fn both_forms_say_the_same() {
    let theme = Theme::default();
    for locale in Locale::ALL {
        let letter = letter(*locale, "Ada");
        let frame = frame(&theme, "Halden");
        let (plain, html) = (letter.plain(&frame), letter.html(&frame));
        let said = letter.paragraphs.iter().chain(&letter.closing);
        for text in said.chain([&letter.title, &letter.greeting]) {
            assert!(plain.contains(text.as_str()), "{text} in {plain}");
            assert!(html.contains(&html::escaped(text)), "{text} in {html}");
        }
        for url in ["https://pay.example/m/0f", "https://pay.example/u/0f"] {
            assert!(plain.contains(url) && html.contains(url));
        }
    }
}

#[test]
fn the_brand_is_readable_on_light_and_dark() {
    for brand in [Rgb(0xff, 0xff, 0x00), Rgb(0, 0, 0), Rgb(0xff, 0xff, 0xff)] {
        let theme = Theme {
            brand,
            ..Theme::default()
        };
        let html = letter(Locale::En, "Ada").html(&frame(&theme, "Halden"));
        let style = html.split("class=\"button\"").nth(1).unwrap();
        let colour = |property: &str| {
            let value = style.split(property).nth(1).unwrap();
            Rgb::parse(&value[..7]).unwrap()
        };
        let (ground, text) = (colour("background:"), colour(";color:"));
        assert!(
            ground.contrast_hundredths(text) >= 450,
            "{brand}: {text} on {ground}"
        );
        assert!(html.contains("prefers-color-scheme:dark"));
    }
}

#[test]
fn a_logo_is_shown_where_mail_programs_can() {
    use Appearance::{Auto, Dark, Light};
    // The logos of the portal and of documents, and what is seen by day and by night: a picture or the name.
    type Logos = (
        Option<&'static str>,
        Option<&'static str>,
        Option<&'static str>,
    );
    let check = |appearance: Appearance, (logo, dark, paper): Logos, expected: [&str; 2]| {
        let theme = Theme {
            logo: logo.map(str::to_owned),
            logo_dark: dark.map(str::to_owned),
            appearance,
            ..Theme::default()
        };
        let framed = Frame {
            document_logo: paper,
            ..frame(&theme, "Halden")
        };
        let html = letter(Locale::En, "Ada").html(&framed);
        let head = html.split("class=\"card\"").next().unwrap();
        let seen = |part: &str| match part.split("<img src=\"").nth(1) {
            Some(rest) => rest.split('"').next().unwrap().to_owned(),
            None => part.matches(">Halden<").collect(),
        };
        let found = match head.split_once("<span class=\"night\"") {
            Some((day, night)) => [seen(day), seen(night)],
            None => [seen(head), seen(head)],
        };
        assert_eq!(
            found, expected,
            "{appearance:?} {logo:?} {dark:?} {paper:?}"
        );
    };
    let (name, svg, png, paper) = (
        ">Halden<",
        Some("/l.svg"),
        Some("/l.png"),
        Some("/logo/acct_1/0f"),
    );
    let (own, printed) = (
        "https://pay.example/l.png",
        "https://pay.example/logo/acct_1/0f",
    );
    let other = "https://cdn.example/d.png";
    for (appearance, logos, expected) in [
        (Auto, (None, None, None), [name, name]),
        (Auto, (svg, None, None), [name, name]),
        (Auto, (png, None, None), [own, own]),
        (Auto, (png, Some(other), None), [own, other]),
        (Auto, (png, svg, paper), [own, name]),
        (Auto, (svg, Some(other), None), [name, other]),
        (Auto, (svg, svg, paper), [printed, name]),
        (Auto, (None, None, paper), [printed, name]),
        (Light, (svg, svg, paper), [printed, printed]),
        (Dark, (svg, Some(other), paper), [other, other]),
        (Dark, (svg, svg, paper), [name, name]),
    ] {
        check(appearance, logos, expected);
    }
}

#[test]
fn a_message_comes_back_as_it_was_written() {
    for name in NAMES {
        let outside = envelope::Outside {
            id: "mail_1",
            host: "pay.example",
            sender_name: name,
            sender: "no-reply@pay.example",
            reply_to: Some("help@halden.example"),
            recipient_name: Some(name),
            recipient: "ada@example.com",
            subject: "Ihre Rechnung: 20,00 €, 谢谢",
            date: 1_769_853_600,
            language: "en",
            unsubscribe_url: Some("https://pay.example/u/0f"),
        };
        let pdf = envelope::Enclosed {
            name: "A-0001.pdf".to_owned(),
            pdf: (0..=255).cycle().take(5_000).collect(),
        };
        let (plain, html) = ("Grüße\n\n= 谢谢\n", "<p>Grüße &amp; 谢谢 = </p>\n");
        let message = envelope::message(
            &outside,
            plain.to_owned(),
            html.to_owned(),
            Some(pdf.clone()),
        );
        let bytes = message.unwrap().formatted();
        let read = Read::of(&bytes);
        assert_eq!(read.header("Subject"), outside.subject);
        assert_eq!(read.header("Message-ID"), "<mail_1@pay.example>");
        assert_eq!(read.header("Date"), "Sat, 31 Jan 2026 10:00:00 +0000");
        assert_eq!((read.plain.as_str(), read.html.as_str()), (plain, html));
        assert_eq!(read.pdf, Some((pdf.name, pdf.pdf)));
        // A name can't add a header or a recipient.
        let head = String::from_utf8_lossy(&bytes);
        let head = head.split("\r\n\r\n").next().unwrap();
        assert_eq!(head.matches("\r\nTo:").count(), 1, "{head}");
        assert!(!head.contains("\r\nBcc"), "{head}");
    }
}

#[test]
fn kinds_have_names() {
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(kind));
        assert_eq!(
            serde_json::to_value(kind).unwrap(),
            serde_json::Value::from(kind.name())
        );
    }
}
