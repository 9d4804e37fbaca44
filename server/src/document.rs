//! Documents that people keep: invoices as PDF.
//!
//! Laid out here by hand on A4 or Letter, with embedded subsets of free fonts for Latin, Greek,
//! Cyrillic, Arabic, Hebrew, Thai, Devanagari, Chinese, Japanese and Korean. Every document is tagged
//! for screen readers (PDF/UA-1) and made to be archived (PDF/A-3a); the library checks both while
//! it writes. The same invoice gives the same bytes.

mod credit_note;
mod invoice;
pub mod logo;
mod paper;
pub(crate) mod table;
pub(crate) mod totals;
mod typeface;
mod wrap;

use app::locale::Words;
use app::port::Seller;
use krilla::configure::{Accessibility, Archival, Configuration, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::Point;
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::{Document, SerializeSettings};
use perennial::calendar::Timestamp;
use perennial::invoice::Invoice;
use perennial::theme::Rgb;

pub use credit_note::credit_note_pdf;
use invoice::Sheet;

/// All that stands on an invoice.
#[derive(Clone, Debug)]
pub struct InvoiceDocument<'a> {
    /// The invoice. One that isn't final yet says so.
    pub invoice: &'a Invoice,
    /// Who claims.
    pub seller: &'a Seller,
    /// The name that customers know the seller by, on top; empty shows the seller's own.
    pub display_name: &'a str,
    /// The reader's language.
    pub words: Words,
    /// The number of the invoice that it takes back, where it is a credit note in an invoice's shape.
    pub takes_back: Option<&'a str>,
    /// The picture on top in place of the name; none shows the name.
    pub logo: Option<&'a logo::Logo>,
    /// The colour of the band on top. It carries no text, so any colour is readable.
    pub brand: Rgb,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// A font in the program is damaged: the program was not built whole.
    #[error("a font of this program can't be read")]
    Font,
    /// The library refused.
    #[error("the PDF could not be written: {0}")]
    Pdf(String),
}

/// The invoice as a PDF file: A4, or Letter for readers in the United States and Canada.
///
/// # Errors
/// [`DocumentError`] when the fonts are damaged or the library finds a fault in the document.
pub fn invoice_pdf(document: &InvoiceDocument<'_>) -> Result<Vec<u8>, DocumentError> {
    let mut sheet = Sheet::new(document)?;
    sheet.lay_out();
    let language = document.words.locale().tag();
    let settings = SerializeSettings {
        configuration: standards()?,
        ..Default::default()
    };
    let mut pdf = Document::new_with(settings);
    let (width, height) = sheet.size();
    let (paper, top) = sheet.into_paper();
    let mut drawn = paper.drawn();
    for page in 0..paper.pages.len() {
        let settings = PageSettings::from_wh(width, height);
        let settings = settings.ok_or_else(|| DocumentError::Pdf("no paper".to_owned()))?;
        let mut sheet = pdf.start_page_with(settings);
        let mut surface = sheet.surface();
        paper.draw(page, &mut surface, &mut drawn);
        surface.finish();
        sheet.finish();
    }
    let title = title(document);
    let mut outline = Outline::new();
    let start = XyzDestination::new(0, Point::from_xy(0.0, 0.0));
    outline.push_child(OutlineNode::new(title.clone(), start));
    pdf.set_outline(outline);
    pdf.set_tag_tree(paper.tree(top, drawn, language));
    let issued = document
        .invoice
        .finalized_at
        .unwrap_or(document.invoice.created);
    pdf.set_metadata(
        Metadata::new()
            .title(title)
            .authors(vec![document.seller.name.clone()])
            .creator("Perennial".to_owned())
            .language(language.to_owned())
            .document_id(document.invoice.id.to_string())
            .creation_date(date_time(issued)),
    );
    pdf.finish()
        .map_err(|error| DocumentError::Pdf(format!("{error:?}")))
}

fn title(document: &InvoiceDocument<'_>) -> String {
    match (&document.invoice.number, document.takes_back) {
        (Some(number), Some(_)) => document.words.document_credit_note_title(number),
        (Some(number), None) => document.words.document_title(number),
        (None, _) => document.words.document_invoice().to_owned(),
    }
}

fn standards() -> Result<Configuration, DocumentError> {
    ConfigurationBuilder::new()
        .with_archival_validator(Archival::A3_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| DocumentError::Pdf(format!("{error:?}")))
}

fn date_time(at: Timestamp) -> DateTime {
    let civil = at.civil();
    DateTime::new(u16::try_from(civil.year).unwrap_or(1970))
        .month(civil.month)
        .day(civil.day)
        .hour(civil.hour)
        .minute(civil.minute)
        .second(civil.second)
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

#[cfg(test)]
mod tests;
