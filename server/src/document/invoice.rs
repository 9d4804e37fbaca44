//! How an invoice is laid out: who, what, how much, and what is left to pay.
#![expect(
    clippy::float_arithmetic,
    reason = "points on paper; amounts are texts by then"
)]

use app::country;
use krilla::tagging::{ArtifactType, TableHeaderScope, Tag};
use perennial::customer::{Address, TaxExempt};
use perennial::invoice::{InvoiceStatus, PageSize, Presentation};
use perennial::money::Money;
use perennial::theme::Rgb;
use std::num::NonZeroU16;

use super::logo::Logo;
use super::paper::{NodeId, Paper};
use super::totals::{self, Row};
use super::typeface::{Style, Typefaces, Weight, han_of, typefaces};
use super::wrap::wrapped;
use super::{DocumentError, InvoiceDocument};

/// A4 and Letter, in points of 1/72 inch.
const A4: (f32, f32) = (595.28, 841.89);
const LETTER: (f32, f32) = (612.0, 792.0);
/// Left and right.
pub(super) const MARGIN: f32 = 48.0;
/// Where the content of a page starts and, from below, ends.
const TOP: f32 = 44.0;
const BOTTOM: f32 = 64.0;

pub(super) const INK: Rgb = Rgb(0x1a, 0x1d, 0x21);
/// 6.1 : 1 on white.
pub(super) const QUIET: Rgb = Rgb(0x5b, 0x63, 0x6e);
pub(super) const HAIR: Rgb = Rgb(0xd9, 0xdd, 0xe3);

pub(super) const SIZE: f32 = 9.5;
pub(super) const SMALL: f32 = 8.0;
/// Between baselines, as a share of the size.
pub(super) const LEADING: f32 = 1.45;
/// The logo's room at the right of the title.
const LOGO_WIDTH_MAX: f32 = 170.0;
const LOGO_HEIGHT_MAX: f32 = 36.0;
/// Between columns.
pub(super) const GAP: f32 = 18.0;

/// No description, note or address takes more lines than this.
pub(super) const LINES_MAX: usize = 30;

/// An invoice being laid out.
pub(super) struct Sheet<'a> {
    pub(super) document: &'a InvoiceDocument<'a>,
    pub(super) faces: &'static Typefaces,
    pub(super) paper: Paper,
    pub(super) top: NodeId,
    width: f32,
    height: f32,
    /// Where the next thing goes, from the top.
    pub(super) y: f32,
}

/// Where a text stands between two edges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl<'a> Sheet<'a> {
    /// An empty first page.
    pub(super) fn new(document: &'a InvoiceDocument<'a>) -> Result<Self, DocumentError> {
        let faces = typefaces()?;
        let customer = document.invoice.bill_to.address.as_ref();
        let country = customer.or(document.seller.address.as_ref());
        let country = country.and_then(|address| address.country.as_deref());
        let presentation = document.invoice.presentation.as_deref();
        let (width, height) = match (presentation.and_then(|own| own.page_size), country) {
            (Some(PageSize::Letter), _) => LETTER,
            (Some(PageSize::A4), _) => A4,
            (_, Some("US" | "CA" | "PR")) => LETTER,
            _ => A4,
        };
        let mut paper = Paper::new();
        let top = paper.node(None, Tag::Div);
        Ok(Self {
            document,
            faces,
            paper,
            top,
            width,
            height,
            y: TOP,
        })
    }

    /// Width and height of the paper, in points.
    pub(super) fn size(&self) -> (f32, f32) {
        (self.width, self.height)
    }

    /// What was laid out, and the node at its top.
    pub(super) fn into_paper(self) -> (Paper, NodeId) {
        (self.paper, self.top)
    }

    /// Everything, top to bottom.
    pub(super) fn lay_out(&mut self) {
        self.head();
        self.parties();
        self.headline();
        if let Some(note) = self.document.invoice.description.as_deref() {
            self.note(note);
        }
        self.lines();
        self.totals();
        self.foot();
        self.page_numbers();
    }

    pub(super) fn style(&self, weight: Weight, size: f32) -> Style {
        let han = han_of("", self.seller_country());
        let han = match self.document.words.locale().tag() {
            "ja" => "ja",
            "zh" => "zh-Hans",
            _ => han,
        };
        Style {
            weight,
            size,
            han,
            ink: INK,
        }
    }

    pub(super) fn seller_country(&self) -> Option<&str> {
        self.document
            .seller
            .address
            .as_ref()
            .and_then(|address| address.country.as_deref())
    }

    pub(super) fn right(&self) -> f32 {
        self.width - MARGIN
    }

    pub(super) fn room(&self) -> f32 {
        self.height - BOTTOM - self.y
    }

    /// One line of text with its baseline at `y` from the top.
    pub(super) fn put(
        &mut self,
        node: NodeId,
        x: f32,
        y: f32,
        align: Align,
        text: &str,
        style: Style,
    ) {
        let shaped = self.faces.shape(text, style);
        let x = if align == Align::Right {
            x - shaped.width
        } else {
            x
        };
        self.paper.text(node, x, y, shaped, style.ink);
    }

    /// A paragraph from `self.y` down; turns the page where it must.
    fn paragraph(&mut self, node: NodeId, x: f32, width: f32, text: &str, style: Style) {
        for line in wrapped(self.faces, text, style, width, LINES_MAX) {
            let step = style.size * LEADING;
            if self.room() < step {
                self.turn();
            }
            self.put(node, x, self.y + style.size, Align::Left, &line, style);
            self.y += step;
        }
    }

    pub(super) fn turn(&mut self) {
        self.paper.turn();
        self.y = TOP;
    }

    pub(super) fn rule(&mut self, y: f32, left: f32, colour: Rgb) {
        let page = self.paper.page();
        let width = self.right() - left;
        self.paper.rect(page, [left, y, width, 0.6], colour);
    }

    /// The band, the title, and the facts.
    fn head(&mut self) {
        let document = self.document;
        let words = document.words;
        let (width, brand) = (self.width, document.brand);
        self.paper.rect(0, [0.0, 0.0, width, 8.0], brand);
        let kind = match document.takes_back {
            Some(_) => words.document_credit_note(),
            None => words.document_invoice(),
        };
        let title = self.paper.node(Some(self.top), heading(1, kind));
        let big = self.style(Weight::Heavy, 20.0);
        let baseline = TOP + 22.0;
        self.put(title, MARGIN, baseline, Align::Left, kind, big);
        let title_width = self.faces.width(kind, big);

        if let Some(logo) = document.logo {
            self.logo(logo, title_width);
            self.y = baseline + 22.0;
            return self.facts();
        }
        let name = if document.display_name.is_empty() {
            document.seller.name.as_str()
        } else {
            document.display_name
        };
        let name_style = Style {
            han: han_of(name, self.seller_country()),
            ..self.style(Weight::Heavy, 13.0)
        };
        let room = self.right() - MARGIN - title_width - 24.0;
        let lines = wrapped(self.faces, name, name_style, room, 2);
        let node = self.paper.node(Some(self.top), Tag::P);
        let right = self.right();
        for (at, line) in lines.iter().enumerate() {
            let y = baseline + at as f32 * 17.0;
            self.put(node, right, y, Align::Right, line.trim_end(), name_style);
        }
        self.y = baseline + 22.0;
        self.facts();
    }

    /// The logo at the right, as large as it may be there.
    fn logo(&mut self, logo: &Logo, title_width: f32) {
        let (width_px, height_px) = logo.image().size();
        let room = (self.right() - MARGIN - title_width - 24.0).clamp(24.0, LOGO_WIDTH_MAX);
        #[expect(clippy::cast_precision_loss, reason = "at most 3,000 pixels")]
        let (width, height) = (width_px as f32, height_px as f32);
        let scale = (room / width).min(LOGO_HEIGHT_MAX / height);
        let (width, height) = (width * scale, height * scale);
        let document = self.document;
        let name = match document.display_name {
            "" => document.seller.name.as_str(),
            name => name,
        };
        let node = self
            .paper
            .node(Some(self.top), Tag::Figure(Some(name.to_owned())));
        let left = self.right() - width;
        // Centred on the title's line.
        let top = TOP + 14.0 - height / 2.0;
        self.paper
            .image(node, [left, top, width, height], logo.image());
    }

    fn facts(&mut self) {
        let (invoice, words) = (self.document.invoice, self.document.words);
        let issued = invoice.issued_at();
        let mut facts = Vec::new();
        if let Some(number) = &invoice.number {
            let label = match self.document.takes_back {
                Some(_) => words.document_credit_note_number(),
                None => words.document_number(),
            };
            facts.push((label, number.clone()));
        }
        if let Some(of) = self.document.takes_back {
            facts.push((words.document_credit_note_of(), of.to_owned()));
        }
        facts.push((words.document_issued(), words.date(issued)));
        if let Some(due) = invoice.due_date {
            facts.push((words.document_due(), words.date(due)));
        }
        if let Some(paid) = invoice.paid_at {
            facts.push((words.document_paid(), words.date(paid)));
        }
        let label = self.style(Weight::Regular, SIZE);
        let value = self.style(Weight::Heavy, SIZE);
        let widths = facts.iter().map(|(text, _)| self.faces.width(text, label));
        let indent = MARGIN + widths.fold(80.0, f32::max) + GAP;
        for (name, text) in facts {
            let node = self.paper.node(Some(self.top), Tag::P);
            let y = self.y + SIZE;
            // The space keeps the words apart for those who hear them.
            self.put(
                node,
                MARGIN,
                y,
                Align::Left,
                &format!("{name} "),
                label.in_ink(QUIET),
            );
            self.put(node, indent, y, Align::Left, &text, value);
            self.y += SIZE * LEADING + 1.0;
        }
        self.y += 18.0;
    }

    /// From whom, and to whom.
    fn parties(&mut self) {
        let document = self.document;
        let (seller, customer, words) =
            (document.seller, &document.invoice.bill_to, document.words);
        let lines = |address: &Address| country::lines(words.locale(), address);
        let mut from = Vec::new();
        from.extend(seller.address.as_ref().into_iter().flat_map(lines));
        from.extend(seller.email.clone());
        match document.invoice.seller_tax_ids.as_slice() {
            [] => from.extend(seller.tax_id.as_ref().map(|id| words.document_tax_id(id))),
            own => from.extend(own.iter().map(|id| words.document_tax_id(&id.value))),
        }
        let mut to = Vec::new();
        to.extend(customer.address.as_ref().into_iter().flat_map(lines));
        to.extend(customer.email.clone());
        to.extend(customer.phone.clone());
        to.extend(
            customer
                .tax_ids
                .iter()
                .map(|id| words.document_tax_id(&id.value)),
        );

        let column = (self.right() - MARGIN - GAP * 2.0) / 2.0;
        let (start, left) = (self.y, MARGIN);
        let country = self.seller_country().map(ToOwned::to_owned);
        self.party(
            words.document_from(),
            &seller.name,
            &from,
            left,
            column,
            country.as_deref(),
        );
        let end = self.y;
        self.y = start;
        let left = MARGIN + column + GAP * 2.0;
        let country = customer
            .address
            .as_ref()
            .and_then(|address| address.country.as_deref());
        let name = customer.name.as_deref().unwrap_or_default();
        self.party(words.document_bill_to(), name, &to, left, column, country);
        self.goods(left, column);
        self.y = self.y.max(end) + 20.0;
    }

    /// Where the goods go, where there are any.
    fn goods(&mut self, x: f32, width: f32) {
        let document = self.document;
        let presentation = document.invoice.presentation.as_deref();
        let Some(Presentation {
            shipping: Some(goods),
            ..
        }) = presentation
        else {
            return;
        };
        let words = document.words;
        let mut to = country::lines(words.locale(), &goods.address);
        to.extend(goods.phone.clone());
        let name = goods.name.as_deref().unwrap_or_default();
        let country = goods.address.country.as_deref();
        self.y += 10.0;
        self.party(words.document_ship_to(), name, &to, x, width, country);
    }

    fn party(
        &mut self,
        label: &str,
        name: &str,
        lines: &[String],
        x: f32,
        width: f32,
        country: Option<&str>,
    ) {
        let quiet = self.style(Weight::Regular, SIZE);
        let head = self.paper.node(Some(self.top), heading(2, label));
        self.put(
            head,
            x,
            self.y + SIZE,
            Align::Left,
            label,
            quiet.in_ink(QUIET),
        );
        self.y += SIZE * LEADING + 2.0;
        let node = self.paper.node(Some(self.top), Tag::P);
        let heavy = Style {
            weight: Weight::Heavy,
            han: han_of(name, country),
            ..quiet
        };
        self.paragraph(node, x, width, name, heavy);
        for line in lines {
            let style = Style {
                han: han_of(line, country),
                ..quiet
            };
            self.paragraph(node, x, width, line, style);
        }
    }

    /// What this invoice means for the reader, in one line.
    fn headline(&mut self) {
        let (invoice, words) = (self.document.invoice, self.document.words);
        let remaining = words.money(Money::new(
            invoice.amount_remaining_minor(),
            invoice.currency,
        ));
        let total = words.money(Money::new(invoice.totals.total_minor, invoice.currency));
        let text = match (invoice.status, invoice.paid_at, invoice.due_date) {
            (InvoiceStatus::Void, _, _) if self.document.takes_back.is_some() => {
                words.document_credit_note_void().to_owned()
            }
            _ if self.document.takes_back.is_some() => words.document_credit_note_says(&total),
            (InvoiceStatus::Draft, _, _) => words.document_draft().to_owned(),
            (InvoiceStatus::Void, _, _) => words.document_void().to_owned(),
            (InvoiceStatus::Uncollectible, _, _) => words.document_uncollectible(&remaining),
            (InvoiceStatus::Paid, Some(at), _) if invoice.amount_paid_minor > 0 => {
                let paid = Money::new(invoice.amount_paid_minor, invoice.currency);
                words.document_paid_on(&words.money(paid), &words.date(at))
            }
            (InvoiceStatus::Paid, _, _) => words.document_nothing_due().to_owned(),
            (InvoiceStatus::Open, _, Some(due)) => {
                words.document_due_by(&remaining, &words.date(due))
            }
            (InvoiceStatus::Open, _, None) => words.document_due_now(&remaining),
        };
        let style = self.style(Weight::Heavy, 14.0);
        let node = self.paper.node(Some(self.top), Tag::P);
        let width = self.right() - MARGIN;
        self.paragraph(node, MARGIN, width, &text, style);
        self.y += 14.0;
    }

    fn note(&mut self, text: &str) {
        let style = self.style(Weight::Regular, SIZE);
        let style = Style {
            han: han_of(text, self.seller_country()),
            ..style
        };
        let node = self.paper.node(Some(self.top), Tag::P);
        let width = self.right() - MARGIN;
        self.paragraph(node, MARGIN, width, text, style);
        self.y += 12.0;
    }

    /// The sums, kept together on one page.
    fn totals(&mut self) {
        let document = self.document;
        let rows = match document.takes_back {
            Some(_) => totals::sums(document.invoice, document.words),
            None => totals::rows(document.invoice, document.words),
        };
        let step = SIZE * LEADING + 4.0;
        if self.room() < rows.len() as f32 * step + 30.0 {
            self.turn();
        }
        self.y += 6.0;
        let (style, heavy) = (
            self.style(Weight::Regular, SIZE),
            self.style(Weight::Heavy, SIZE),
        );
        let widest = |pick: fn(&Row) -> &str| {
            rows.iter()
                .map(|row| self.faces.width(pick(row), heavy))
                .fold(0.0, f32::max)
        };
        let amounts = widest(|row| &row.amount);
        let labels = widest(|row| &row.label).max(130.0);
        let left = (self.right() - amounts - GAP * 2.0 - labels).max(MARGIN);
        let table = self.paper.node(Some(self.top), Tag::Table);
        let body = self.paper.node(Some(table), Tag::TBody);
        for row in &rows {
            let style = if row.heavy { heavy } else { style };
            if row.ruled {
                self.rule(self.y, left, HAIR);
                self.y += 5.0;
            }
            let node = self.paper.node(Some(body), Tag::TR);
            let head = self.paper.node(Some(node), Tag::TH(TableHeaderScope::Row));
            let cell = self.paper.node(Some(node), Tag::TD);
            let width = self.right() - amounts - GAP - left;
            let label_style = Style {
                han: han_of(&row.label, self.seller_country()),
                ..style
            };
            let label = wrapped(self.faces, &row.label, label_style, width, 3);
            let right = self.right();
            self.put(cell, right, self.y + SIZE, Align::Right, &row.amount, style);
            let ink = if row.heavy { INK } else { QUIET };
            for text in label {
                self.put(
                    head,
                    left,
                    self.y + SIZE,
                    Align::Left,
                    &text,
                    label_style.in_ink(ink),
                );
                self.y += SIZE * LEADING;
            }
            self.y += 4.0;
        }
        self.y += 14.0;
    }

    /// What the law or the merchant wants to be said at the end.
    fn foot(&mut self) {
        let (invoice, words) = (self.document.invoice, self.document.words);
        let tax = match invoice.bill_to.tax_exempt {
            TaxExempt::None => None,
            TaxExempt::Exempt => Some(words.document_exempt()),
            TaxExempt::Reverse => Some(words.document_reverse_charge()),
        };
        for text in tax.into_iter().chain(invoice.footer.as_deref()) {
            self.note(text);
        }
    }

    /// Which invoice this is and how many pages it has, below every page.
    fn page_numbers(&mut self) {
        let document = self.document;
        let style = self.style(Weight::Regular, SMALL);
        let number = document.invoice.number.as_deref();
        let name = [number, Some(document.seller.name.as_str())];
        let name = name.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        let pages = self.paper.pages.len();
        let y = self.height - 34.0;
        for page in 0..pages {
            let count = document
                .words
                .document_page(&(page + 1).to_string(), &pages.to_string());
            let count = self.faces.shape(&count, style);
            let room = self.right() - MARGIN - count.width - GAP;
            let name = wrapped(self.faces, &name, style, room, 1);
            self.paper
                .rect(page, [MARGIN, y - 14.0, self.right() - MARGIN, 0.6], HAIR);
            if let Some(name) = name.first() {
                let name = self.faces.shape(name, style);
                self.paper
                    .aside(page, MARGIN, y, name, QUIET, ArtifactType::Footer);
            }
            let x = self.right() - count.width;
            self.paper
                .aside(page, x, y, count, QUIET, ArtifactType::Footer);
        }
    }
}

fn heading(level: u16, title: &str) -> Tag<krilla::tagging::kind::Hn> {
    let level = NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN);
    Tag::Hn(level, Some(title.to_owned()))
}
