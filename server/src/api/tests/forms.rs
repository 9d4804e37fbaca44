//! Decoding and reading parameters.

use perennial::decimal::Decimal12;
use perennial::metadata::MetadataChange;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::api::form::{self, Branch, DEPTH_MAX, FormError, Node, PAIRS_MAX};
use crate::api::params::Params;
use crate::api::problem::Problem;

/// A tree as JSON, to compare.
fn shown(branch: &Branch) -> Value {
    let fields = branch.iter().map(|(key, node)| {
        let value = match node {
            Node::Leaf(text) => Value::from(text.as_str()),
            Node::Branch(inner) => shown(inner),
        };
        (key.clone(), value)
    });
    Value::Object(fields.collect())
}

fn check_form(text: &str, want: &Value) {
    let tree = form::decode(text.as_bytes());
    assert_eq!(tree.as_ref().map(shown), Ok(want.clone()), "{text}");
}

#[test]
fn forms_become_trees() {
    check_form("", &json!({}));
    check_form("a=1&b=2", &json!({"a": "1", "b": "2"}));
    check_form("a", &json!({"a": ""}));
    check_form("a=&&b=x", &json!({"a": "", "b": "x"}));
    check_form("a=b=c", &json!({"a": "b=c"}));
    check_form(
        "a[b]=1&a[c][d]=2",
        &json!({"a": {"b": "1", "c": {"d": "2"}}}),
    );
    check_form(
        "items[0][price]=p&items[0][quantity]=2&items[1][price]=q",
        &json!({"items": {"0": {"price": "p", "quantity": "2"}, "1": {"price": "q"}}}),
    );
    check_form(
        "expand[]=a&expand[]=b",
        &json!({"expand": {"0": "a", "1": "b"}}),
    );
    check_form(
        "expand%5B%5D=a&expand%5b0x%5d=b",
        &json!({"expand": {"0": "a", "0x": "b"}}),
    );
    check_form("name=J%C3%BCrgen+M%26M", &json!({"name": "Jürgen M&M"}));
    check_form(
        "metadata[a key]=%5B1%5D",
        &json!({"metadata": {"a key": "[1]"}}),
    );
}

fn check_refused(text: &str, want: &FormError) {
    assert_eq!(form::decode(text.as_bytes()).as_ref(), Err(want), "{text}");
}

#[test]
fn malformed_forms_are_refused_by_name() {
    let name = |name: &str| FormError::Name(name.to_owned());
    let twice = |name: &str| FormError::Twice(name.to_owned());
    check_refused("=1", &name(""));
    check_refused("[a]=1", &name("[a]"));
    check_refused("a[b=1", &name("a[b"));
    check_refused("a]b=1", &name("a]b"));
    check_refused("a[b]c=1", &name("a[b]c"));
    check_refused("a[[b]]=1", &name("a[[b]]"));
    check_refused("a[][b]=1", &name("a[][b]"));
    check_refused("a=1&a=2", &twice("a"));
    check_refused("a=1&a[b]=2", &twice("a[b]"));
    check_refused("a[b]=1&a=2", &twice("a"));
    check_refused("a[]=1&a[0]=2", &twice("a[0]"));
    check_refused("a=%", &FormError::Encoding);
    check_refused("a=%4", &FormError::Encoding);
    check_refused("a=%zz", &FormError::Encoding);
    check_refused("a=%ff", &FormError::Encoding);
    let deep = format!("a{}=1", "[b]".repeat(DEPTH_MAX));
    assert!(matches!(
        form::decode(deep.as_bytes()),
        Err(FormError::TooDeep(_))
    ));
    let many: Vec<_> = (0..=PAIRS_MAX).map(|n| format!("a{n}=")).collect();
    check_refused(&many.join("&"), &FormError::TooMany);
    check_refused(&"a".repeat(form::BODY_BYTES_MAX + 1), &FormError::TooLarge);
}

fn read<T>(text: &str, read: impl FnOnce(&mut Params) -> T) -> Result<T, Problem> {
    let mut params = Params::new(form::decode(text.as_bytes()).unwrap());
    let value = read(&mut params);
    params.finish().map(|()| value)
}

#[test]
fn parameters_are_read_by_type() {
    assert_eq!(read("a=x", |p| p.text("a")), Ok(Some("x".to_owned())));
    assert_eq!(read("a=", |p| p.text("a")), Ok(None));
    assert_eq!(read("a=", |p| p.change_text("a")), Ok(Some(None)));
    assert_eq!(read("", |p| p.change_text("a")), Ok(None));
    assert_eq!(read("a=true", |p| p.boolean("a")), Ok(Some(true)));
    assert_eq!(read("a=-7", |p| p.integer("a")), Ok(Some(-7)));
    let twelfth = Decimal12::parse("0.05").unwrap();
    assert_eq!(read("a=0.05", |p| p.decimal("a")), Ok(Some(twelfth)));
    let texts = |p: &mut Params| p.texts("a", 3);
    let abc = Some(vec!["x".to_owned(), "y".to_owned(), "z".to_owned()]);
    assert_eq!(
        read("a[2]=z&a[0]=x&a[10]=y", texts)
            .unwrap()
            .unwrap()
            .join(""),
        "xzy"
    );
    assert_eq!(read("a[]=x&a[]=y&a[]=z", texts), Ok(abc));
    assert_eq!(read("a=", texts), Ok(Some(Vec::new())));
    let clear = Some(MetadataChange::Clear);
    assert_eq!(read("metadata=", |p| p.metadata("metadata")), Ok(clear));
    let merge = vec![("k".to_owned(), String::new())];
    assert_eq!(
        read("metadata[k]=", |p| p.metadata("metadata")),
        Ok(Some(MetadataChange::Merge(merge))),
    );
}

fn check_complaint<T>(text: &str, reader: impl FnOnce(&mut Params) -> T, code: &str, param: &str) {
    let problem = read(text, reader).err().unwrap();
    let found = (problem.code.as_deref(), problem.param.as_deref());
    let code = (!code.is_empty()).then_some(code);
    assert_eq!(found, (code, Some(param)), "{text}: {problem:?}");
}

#[test]
fn complaints_name_the_parameter_in_bracket_form() {
    check_complaint("b=1&c=2", |p| p.text("a"), "parameter_unknown", "b");
    check_complaint("a=x", |p| p.integer("a"), "parameter_invalid_integer", "a");
    check_complaint(
        "a=1.5",
        |p| p.integer("a"),
        "parameter_invalid_integer",
        "a",
    );
    check_complaint(
        "a=9",
        |p| p.integer_in("a", 1..=8),
        "parameter_invalid_integer",
        "a",
    );
    check_complaint(
        "a=yes",
        |p| p.boolean("a"),
        "parameter_invalid_boolean",
        "a",
    );
    check_complaint("a[b]=1", |p| p.text("a"), "parameter_invalid_string", "a");
    check_complaint("a=%00", |p| p.text("a"), "parameter_invalid_string", "a");
    check_complaint("", |p| p.required_text("a"), "parameter_missing", "a");
    check_complaint(
        "a=",
        |p| p.required_text("a"),
        "parameter_invalid_empty",
        "a",
    );
    check_complaint("a=1", |p| p.texts("a", 3), "parameter_invalid_array", "a");
    check_complaint(
        "a[x]=1",
        |p| p.texts("a", 3),
        "parameter_invalid_array",
        "a",
    );
    check_complaint(
        "a[]=1&a[]=2",
        |p| p.texts("a", 1),
        "parameter_invalid_array",
        "a",
    );
    check_complaint(
        "a=1",
        |p| p.object("a", |_| ()),
        "parameter_invalid_object",
        "a",
    );
    check_complaint(
        "a[b]=1",
        |p| p.object("a", |_| ()),
        "parameter_unknown",
        "a[b]",
    );
    check_complaint("a=e", |p| p.choice::<String>("a", &["b", "c"]), "", "a");
    let items = |p: &mut Params| p.objects("items", 3, |i| i.required_text("price"));
    check_complaint(
        "items[1][price]=",
        items,
        "parameter_invalid_empty",
        "items[1][price]",
    );
    check_complaint("items[1][x]=1", items, "parameter_unknown", "items[1][x]");
    let customer = |p: &mut Params| p.id::<perennial::id::CustomerId>("customer", "customer");
    check_complaint("customer=nobody", customer, "resource_missing", "customer");
}

#[test]
fn an_unknown_parameter_is_told_before_other_complaints() {
    let problem = read("a=x&z=1", |p| p.integer("a")).err().unwrap();
    assert_eq!(problem.message, "Received unknown parameter: z");
    let problem = read("y=x&z=1", |_| ()).err().unwrap();
    assert_eq!(problem.message, "Received unknown parameters: y, z");
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = form::decode(&bytes);
    }

    #[test]
    fn nothing_that_looks_like_a_form_makes_reading_panic(text in "[ab0-9\\[\\]=&%+.-]{0,120}") {
        if let Ok(tree) = form::decode(text.as_bytes()) {
            let mut params = Params::new(tree);
            params.texts("a", 2);
            params.integer("b");
            params.objects("ab", 3, |item| {
                item.decimal("a");
                item.object("b", |inner| inner.moment("0"));
            });
            params.metadata("0");
            let _ = params.finish();
        }
    }

    #[test]
    fn what_is_escaped_comes_back(pairs in proptest::collection::btree_map("[a-z]{1,8}", ".{0,40}", 0..12)) {
        let escape = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let text: Vec<_> = pairs.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
        let want: Branch = pairs.into_iter().map(|(k, v)| (k, Node::Leaf(v))).collect();
        prop_assert_eq!(form::decode(text.join("&").as_bytes()), Ok(want));
    }
}
