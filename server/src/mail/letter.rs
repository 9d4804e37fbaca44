//! A mail as it is meant, before it is HTML and plain text.

use app::locale::Words;
use perennial::theme::Theme;

/// What a mail says. Every text is as a person reads it: nothing in it is markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its language.
    pub words: Words,
    /// One line.
    pub subject: String,
    /// What a list of mails shows beside the subject.
    pub preview: String,
    /// What kind of news it is, in a word or two.
    pub mark: Mark,
    /// The heading.
    pub title: String,
    /// The amount that it is all about.
    pub sum: Option<Sum>,
    /// To whom.
    pub greeting: String,
    /// What happened and what to do.
    pub paragraphs: Vec<String>,
    /// The one thing to do: the words on its button.
    pub action: Option<String>,
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// What was bought.
    pub bill: Option<Bill>,
    /// What follows at the end.
    pub closing: Vec<String>,
}

/// What kind of news a mail brings: a word, and the colour that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How urgent it is.
    pub tone: Tone,
    /// The word.
    pub text: &'static str,
}

/// How urgent a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// To know, nothing more.
    Calm,
    /// Good news.
    Good,
    /// Something to think of.
    Careful,
    /// Something to do.
    Urgent,
}

impl Tone {
    /// Every tone.
    pub(super) const ALL: [Self; 4] = [Self::Calm, Self::Good, Self::Careful, Self::Urgent];
}

/// An amount, and what there is to say of it in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How much.
    pub amount: String,
    /// When, or for what.
    pub note: Option<String>,
}

/// A line of an invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BillLine {
    /// What was bought.
    pub what: String,
    /// From when to when.
    pub period: Option<String>,
    /// For how much.
    pub amount: String,
}

/// The lines of an invoice and its sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// What was bought.
    pub lines: Vec<BillLine>,
    /// What is left out, where lines are.
    pub more: Option<String>,
    /// Sums: names, amounts, and whether it is one that matters most.
    pub sums: Vec<(String, String, bool)>,
}

/// What surrounds every letter of one merchant to one reader.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// How it looks.
    pub theme: &'a Theme,
    /// What customers know the merchant as.
    pub merchant: &'a str,
    /// The merchant's address, line by line.
    pub imprint: Vec<String>,
    /// Where customers ask.
    pub support_email: Option<&'a str>,
    /// To which address.
    pub recipient: &'a str,
    /// How the server is reached, for pictures: no slash at its end.
    pub origin: &'a str,
    /// The path of the logo of the merchant's documents, a picture that every mail program shows.
    pub document_logo: Option<&'a str>,
    /// Where the button leads.
    pub open_url: Option<&'a str>,
    /// Until when, in words.
    pub open_until: Option<&'a str>,
    /// Where the reader can stop mails of this kind, if they may.
    pub unsubscribe_url: Option<&'a str>,
    /// Whether money is only pretended to move.
    pub test: bool,
}

impl Frame<'_> {
    /// Why this mail comes, and what can be done about it, sentence by sentence.
    pub(super) fn reasons(&self, words: Words) -> Vec<String> {
        let mut reasons = vec![words.letter_sent_to(self.recipient, self.merchant)];
        reasons.push(match self.unsubscribe_url {
            Some(_) => words.letter_sent_optional().to_owned(),
            None => words.letter_sent_always().to_owned(),
        });
        if self.test {
            reasons.push(words.letter_test_note().to_owned());
        }
        reasons
    }

    /// The sentence about the button.
    pub(super) fn personal(&self, words: Words) -> Option<String> {
        self.open_url?;
        self.open_until
            .map(|until| words.letter_link_personal(until))
    }
}

impl Letter {
    /// As HTML.
    #[must_use]
    pub fn html(&self, frame: &Frame<'_>) -> String {
        super::html::document(self, frame)
    }

    /// As plain text.
    #[must_use]
    pub fn plain(&self, frame: &Frame<'_>) -> String {
        super::plain::document(self, frame)
    }
}
