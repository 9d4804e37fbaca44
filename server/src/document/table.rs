//! The table of an invoice's lines, over as many pages as it takes.
#![expect(
    clippy::float_arithmetic,
    reason = "points on paper; amounts are texts by then"
)]

use app::locale::Words;
use krilla::tagging::{ArtifactType, TableHeaderScope, Tag};
use perennial::invoice::{Line, LineKind};
use perennial::money::Money;

use super::invoice::{
    Align, GAP, HAIR, INK, LEADING, LINES_MAX, MARGIN, QUIET, SIZE, SMALL, Sheet,
};
use super::paper::NodeId;
use super::totals;
use super::typeface::{Style, Weight, han_of};
use super::wrap::wrapped;

/// The table's columns: their right edges.
struct Columns {
    description: f32,
    quantity: f32,
    unit: f32,
    tax: f32,
    amount: f32,
    has_tax: bool,
}

impl Sheet<'_> {
    /// The table of lines, over as many pages as it takes.
    pub(super) fn lines(&mut self) {
        let columns = self.columns();
        let table = self.paper.node(Some(self.top), Tag::Table);
        let head = self.paper.node(Some(table), Tag::THead);
        if self.room() < 80.0 {
            self.turn();
        }
        self.table_head(Some(head), &columns);
        let body = self.paper.node(Some(table), Tag::TBody);
        for line in &self.document.invoice.lines {
            self.line(body, line, &columns);
        }
    }

    /// As wide as what stands in them; the description has the rest.
    fn columns(&self) -> Columns {
        let (invoice, words) = (self.document.invoice, self.document.words);
        let style = self.style(Weight::Regular, SIZE);
        let head = self.style(Weight::Regular, SMALL);
        let widest = |title: &str, text: &dyn Fn(&Line) -> String| {
            let widths = invoice
                .lines
                .iter()
                .map(|line| self.faces.width(&text(line), style));
            widths.fold(self.faces.width(title, head), f32::max)
        };
        let has_tax = invoice.lines.iter().any(|line| !line.tax_rates.is_empty());
        let amount = self.right();
        let tax = amount - widest(words.document_amount(), &|line| self.amount_text(line)) - GAP;
        let tax_width = widest(words.document_tax(), &|line| self.tax_text(line)) + GAP;
        let unit = if has_tax { tax - tax_width } else { tax };
        let quantity =
            unit - widest(words.document_unit_price(), &|line| self.unit_text(line)) - GAP;
        let number = widest(words.document_quantity(), &|line| self.quantity_text(line));
        let description = quantity - number - GAP;
        Columns {
            description,
            quantity,
            unit,
            tax,
            amount,
            has_tax,
        }
    }

    fn amount_text(&self, line: &Line) -> String {
        self.document.words.money(Money::new(
            line.amount_minor,
            self.document.invoice.currency,
        ))
    }

    fn quantity_text(&self, line: &Line) -> String {
        line.quantity.map_or_else(String::new, |quantity| {
            self.document.words.integer(quantity)
        })
    }

    fn unit_text(&self, line: &Line) -> String {
        let currency = self.document.invoice.currency;
        line.unit_amount.map_or_else(String::new, |unit| {
            totals::decimal_amount(self.document.words, unit, currency)
        })
    }

    fn tax_text(&self, line: &Line) -> String {
        let words = self.document.words;
        let rates = line
            .tax_rates
            .iter()
            .map(|rate| totals::percent(words, rate.percentage));
        rates.collect::<Vec<_>>().join(" + ")
    }

    /// The titles of the columns; repeated on later pages, where they mean nothing new.
    fn table_head(&mut self, node: Option<NodeId>, columns: &Columns) {
        let words = self.document.words;
        let style = self.style(Weight::Regular, SMALL);
        let y = self.y + SMALL;
        let row = node.map(|node| self.paper.node(Some(node), Tag::TR));
        let mut titles = vec![
            (words.document_description(), MARGIN, Align::Left),
            (words.document_quantity(), columns.quantity, Align::Right),
            (words.document_unit_price(), columns.unit, Align::Right),
        ];
        if columns.has_tax {
            titles.push((words.document_tax(), columns.tax, Align::Right));
        }
        titles.push((words.document_amount(), columns.amount, Align::Right));
        for (title, x, align) in titles {
            if let Some(row) = row {
                let cell = self
                    .paper
                    .node(Some(row), Tag::TH(TableHeaderScope::Column));
                self.put(cell, x, y, align, title, style.in_ink(QUIET));
            } else {
                let shaped = self.faces.shape(title, style);
                let x = if align == Align::Right {
                    x - shaped.width
                } else {
                    x
                };
                let page = self.paper.page();
                self.paper
                    .aside(page, x, y, shaped, QUIET, ArtifactType::Header);
            }
        }
        self.y += SMALL * LEADING + 4.0;
        self.rule(self.y, MARGIN, INK);
        self.y += 6.0;
    }

    fn line(&mut self, body: NodeId, line: &Line, columns: &Columns) {
        let words = self.document.words;
        let style = self.style(Weight::Regular, SIZE);
        let small = self.style(Weight::Regular, SMALL);
        let width = columns.description - MARGIN;
        let text = describe(self.document.words, line);
        let described = Style {
            han: han_of(&text, self.seller_country()),
            ..style
        };
        let mut texts = wrapped(self.faces, &text, described, width, LINES_MAX);
        if texts.is_empty() {
            texts.push(" ".to_owned());
        }
        let period = (line.kind != LineKind::OneTime).then(|| {
            let (start, end) = (line.period.start, line.period.end);
            words.document_period(&words.date_short(end), &words.date_short(start))
        });
        let mut height = texts.len() as f32 * SIZE * LEADING + 10.0;
        if period.is_some() {
            height += SMALL * LEADING;
        }
        if self.room() < height {
            self.turn();
            self.table_head(None, columns);
        }
        let row = self.paper.node(Some(body), Tag::TR);
        let cell = self.paper.node(Some(row), Tag::TD);
        let first = self.y + SIZE;
        let mut y = first;
        for text in &texts {
            self.put(cell, MARGIN, y, Align::Left, text, described);
            y += SIZE * LEADING;
        }
        if let Some(period) = period {
            self.put(
                cell,
                MARGIN,
                y - 1.0,
                Align::Left,
                &period,
                small.in_ink(QUIET),
            );
        }
        let mut cells = vec![
            (self.quantity_text(line), columns.quantity),
            (self.unit_text(line), columns.unit),
        ];
        if columns.has_tax {
            cells.push((self.tax_text(line), columns.tax));
        }
        cells.push((self.amount_text(line), columns.amount));
        for (text, x) in cells {
            let cell = self.paper.node(Some(row), Tag::TD);
            // An empty cell would vanish from the structure and shift the others.
            let text = if text.is_empty() { " " } else { &text };
            self.put(cell, x, first, Align::Right, text, style);
        }
        self.y += height;
        self.rule(self.y - 5.0, MARGIN, HAIR);
    }
}

/// What a line is for, in the reader's language where it is known what it is.
pub(crate) fn describe(words: Words, line: &Line) -> String {
    let start = words.date_short(line.period.start);
    match (line.kind, &line.product_name) {
        (LineKind::Recurring, Some(product)) => product.clone(),
        (LineKind::Usage, Some(product)) => words.document_usage(product),
        (LineKind::Trial, Some(product)) => words.document_trial(product),
        (LineKind::UnusedTime, Some(product)) => words.document_unused(&start, product),
        (LineKind::RemainingTime, Some(product)) => words.document_remaining(&start, product),
        (LineKind::TrueUp, _) => words.document_commitment().to_owned(),
        _ => line.description.clone(),
    }
}
