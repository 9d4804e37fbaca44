//! The vocabulary of the pages: about twenty components on native HTML, each with its own stylesheet beside it.
//!
//! A component's sheet is one rule on its root class with everything nested, so that nothing in it can reach another.
//! Values come from the tokens of `style/tokens.css`. Events and attributes given to a component in `view!` land on its
//! root element.

mod badge;
mod banner;
mod button;
mod card_art;
mod check;
mod dialog;
mod disclosure;
mod empty;
mod facts;
mod field;
mod icon;
mod money;
mod page;
mod pager;
mod radio_rows;
mod section;
mod segments;
mod select;
mod skeleton;
mod stepper;
mod summary;
mod table;
#[cfg(all(test, feature = "ssr"))]
mod tests;

pub use badge::{Badge, Tone};
pub use banner::Banner;
pub use button::{Button, ButtonKind, LinkButton};
pub use card_art::{CardArt, brand_name};
pub use check::{Checkbox, Switch};
pub use dialog::Dialog;
pub use disclosure::Disclosure;
pub use empty::EmptyState;
pub use facts::{Fact, Facts};
pub use field::{Field, FieldFrame, TextArea, described_by};
pub use icon::{Glyph, Icon};
pub use money::{Amount, Date, Figure};
pub use page::{Arrival, Merchant, Page, PageHeader};
pub use pager::Pager;
pub use radio_rows::{RadioRow, RadioRows};
pub use section::{Card, Section};
pub use segments::{Segment, Segments};
pub use select::Select;
pub use skeleton::Skeleton;
pub use stepper::Stepper;
pub use summary::{Summary, SummaryLine};
pub use table::{Cell, Table};
