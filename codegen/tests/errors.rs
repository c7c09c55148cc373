//! Every mistake in the input is an error with file, line and column: the exact text of each.
//!
//! The inputs are one line where they can be, so that the column says which word is meant.

mod support;

use support::{error, overlay_error, schema};

#[test]
fn malformed_xml_is_refused_where_it_breaks() {
    assert_eq!(
        error("<amqp name=\"x\">\n  <section>\n</amqp>"),
        "x.xml:3:1: malformed XML: ill-formed document: expected `</section>`, but `</amqp>` was found"
    );
    assert_eq!(
        error("<amqp name=\"x\">\n  <section>"),
        "x.xml:2:3: malformed XML: <section> is not closed"
    );
    assert_eq!(
        error("<amqp name=\"x\"><section name=y/></amqp>"),
        "x.xml:1:16: malformed XML: position 13: attribute value must be enclosed in `\"` or `'`"
    );
    assert_eq!(
        error("<amqp name=\"&x;\"/>"),
        "x.xml:1:13: malformed XML: at 1..2: unrecognized entity `x`"
    );
    assert_eq!(
        error("<amqp name=\"x\">&nbsp;</amqp>"),
        "x.xml:1:16: malformed XML: unknown entity `&nbsp;`"
    );
    assert_eq!(
        error("<amqp name=\"x\"/>\n<amqp name=\"y\"/>"),
        "x.xml:2:1: malformed XML: a second root element"
    );
    assert_eq!(
        error("text <amqp name=\"x\"/>"),
        "x.xml:1:1: malformed XML: text outside the root element"
    );
    assert_eq!(
        error("<!-- nothing -->"),
        "x.xml:1:17: malformed XML: no element"
    );
    assert_eq!(
        error("<amqp name=\"x\"><!-- ends --"),
        "x.xml:1:16: malformed XML: syntax error: comment not closed: `-->` not found before end of input"
    );
    assert_eq!(
        error("<!DOCTYPE amqp><amqp name=\"x\"/>"),
        "x.xml:1:1: a document type is not supported"
    );
}

#[test]
fn what_the_dialect_does_not_know_is_refused() {
    assert_eq!(
        error("<schema/>"),
        "x.xml:1:1: the root element is <schema>, not <amqp>"
    );
    assert_eq!(
        error("<amqp/>"),
        "x.xml:1:1: <amqp> lacks the attribute `name`"
    );
    assert_eq!(
        error("<amqp name=\"x\" version=\"1\"/>"),
        "x.xml:1:25: <amqp> has no attribute `version`"
    );
    assert_eq!(
        error("<amqp name=\"x\"><type/></amqp>"),
        "x.xml:1:16: <type> is not expected inside <amqp>"
    );
    assert_eq!(
        error("<amqp name=\"x\"><section><doc/></section></amqp>"),
        "x.xml:1:25: <doc> is not expected inside <section>"
    );
    assert_eq!(
        error(&schema("<type name=\"a\" class=\"enum\"/>")),
        "x.xml:2:23: unknown class `enum` of type `a`"
    );
    assert_eq!(
        error(&schema("<type name=\"a\" class=\"restricted\"/>")),
        "x.xml:2:1: <type> lacks the attribute `source`"
    );
    assert_eq!(
        error(&schema(
            "<type name=\"a\" class=\"restricted\" source=\"uint\"><field name=\"b\" type=\"uint\"/></type>"
        )),
        "x.xml:2:49: <field> is not expected in a restricted type"
    );
    assert_eq!(
        error(&schema(
            "<type name=\"a\" class=\"composite\" source=\"map\"/>"
        )),
        "x.xml:2:42: composite type `a` is a map, not a list"
    );
    assert_eq!(
        error(&schema(
            "<type name=\"a\" class=\"composite\" source=\"list\"/>"
        )),
        "x.xml:2:1: composite type `a` has no descriptor"
    );
    assert_eq!(
        error(&composite(
            "<field name=\"b\" type=\"uint\" mandatory=\"yes\"/>"
        )),
        "x.xml:4:40: `mandatory` is `yes`, not true or false"
    );
    assert_eq!(
        error(&composite(
            "<field name=\"b\" type=\"uint\" mandatry=\"true\"/>"
        )),
        "x.xml:4:39: <field> has no attribute `mandatry`"
    );
    assert_eq!(
        error(&composite("<descriptor name=\"again\"/>")),
        "x.xml:4:1: a second descriptor of type `a`"
    );
}

#[test]
fn codes_have_their_form() {
    let code = |code: &str| {
        format!(
            "<type name=\"a\" class=\"composite\" source=\"list\"><descriptor name=\"d\" code=\"{code}\"/></type>"
        )
    };
    assert_eq!(
        error(&schema(&code("0x10"))),
        "x.xml:2:75: descriptor code `0x10` is not of the form 0xDOMAIN:0xID"
    );
    assert_eq!(
        error(&schema(&code("0x1:0x100000000"))),
        "x.xml:2:75: descriptor code `0x1:0x100000000` is not of the form 0xDOMAIN:0xID"
    );
    let symbol =
        "<type name=\"a\" class=\"composite\" source=\"list\"><descriptor name=\"\u{e9}\"/></type>";
    assert_eq!(
        error(&schema(symbol)),
        "x.xml:2:66: descriptor name `\u{e9}` is not an ASCII symbol"
    );
    let encoding = |encoding: &str| {
        format!("<type name=\"null\" class=\"primitive\"><encoding {encoding}/></type>")
    };
    assert_eq!(
        error(&schema(&encoding(
            "code=\"64\" category=\"fixed\" width=\"0\""
        ))),
        "x.xml:2:53: encoding code `64` is not of the form 0xNN"
    );
    assert_eq!(
        error(&schema(&encoding(
            "code=\"0x40\" category=\"wide\" width=\"0\""
        ))),
        "x.xml:2:69: unknown category `wide` of an encoding"
    );
    assert_eq!(
        error(&schema(&encoding(
            "code=\"0x40\" category=\"fixed\" width=\"none\""
        ))),
        "x.xml:2:83: width `none` is not a number of octets"
    );
}

#[test]
fn an_unknown_type_is_refused() {
    assert_eq!(
        error(&composite("<field name=\"b\" type=\"uint3\"/>")),
        "x.xml:4:23: unknown type `uint3` of field `b` of `a`"
    );
    assert_eq!(
        error(&schema(
            "<type name=\"a\" class=\"restricted\" source=\"number\"/>"
        )),
        "x.xml:2:43: unknown type `number` of restricted type `a`"
    );
    assert_eq!(
        error(&schema("<type name=\"number\" class=\"primitive\"/>")),
        "x.xml:2:1: `number` is not a primitive type of AMQP 1.0"
    );
    assert_eq!(
        error(&schema(
            "<type name=\"a\" class=\"restricted\" source=\"b\"/>\n<type name=\"b\" class=\"restricted\" source=\"a\"/>"
        )),
        "x.xml:3:43: type `a` is restricted to itself"
    );
    assert_eq!(
        error(&composite(
            "</type><type name=\"b\" class=\"restricted\" source=\"a\">"
        )),
        "x.xml:4:8: the source of `b` is the composite type `a`"
    );
}

#[test]
fn a_name_belongs_to_one_type() {
    let twice = "<type name=\"a\" class=\"restricted\" source=\"uint\"/>\n<type name=\"a\" class=\"restricted\" source=\"ulong\"/>";
    assert_eq!(
        error(&schema(twice)),
        "x.xml:3:1: a second type `a`, after x.xml:2:1"
    );
    let same = "<type name=\"a-b\" class=\"restricted\" source=\"uint\"/>\n<type name=\"a_b\" class=\"restricted\" source=\"uint\"/>";
    assert_eq!(
        error(&schema(same)),
        "x.xml:3:1: type `a_b` has the Rust name `AB` of another type, at x.xml:2:1"
    );
    assert_eq!(
        error(&schema(
            "<type name=\"uint\" class=\"restricted\" source=\"ulong\"/>"
        )),
        "x.xml:2:1: a second type `uint`, after types.xml:51:5"
    );
    assert_eq!(
        error(&schema(
            "<type name=\"1st\" class=\"restricted\" source=\"uint\"/>"
        )),
        "x.xml:2:1: `1st` cannot be made a name of Rust"
    );
    assert_eq!(
        error(&schema(
            "<type name=\"value\" class=\"restricted\" source=\"uint\"/>"
        )),
        "x.xml:2:1: `value` has the Rust name `Value`, which generated code uses"
    );
    let fields = "<field name=\"b\" type=\"uint\"/>\n<field name=\"b\" type=\"uint\"/>";
    assert_eq!(
        error(&composite(fields)),
        "x.xml:5:1: a second field `b`, after x.xml:4:1"
    );
    assert_eq!(
        error("<amqp name=\"types\"/>"),
        "x.xml:1:13: a second schema `types`, after types.xml:35:13"
    );
}

#[test]
fn a_descriptor_belongs_to_one_type() {
    let pair = |one: &str, two: &str| {
        let of = |name: &str, descriptor: &str| {
            format!(
                "<type name=\"{name}\" class=\"composite\" source=\"list\"><descriptor {descriptor}/></type>\n"
            )
        };
        schema(&(of("a", one) + &of("b", two)))
    };
    assert_eq!(
        error(&pair("name=\"d\"", "name=\"d\"")),
        "x.xml:3:66: a second descriptor `d`, after x.xml:2:66"
    );
    assert_eq!(
        error(&pair(
            "name=\"d\" code=\"0x0:0x7\"",
            "name=\"e\" code=\"0x0:0x7\""
        )),
        "x.xml:3:75: a second descriptor with code 0x7, after x.xml:2:75"
    );
    let codes = "<type name=\"null\" class=\"primitive\"><encoding code=\"0x40\" category=\"fixed\" width=\"0\"/>\n<encoding code=\"0x40\" category=\"fixed\" width=\"0\"/></type>";
    assert_eq!(
        error(&schema(codes)),
        "x.xml:3:17: a second encoding 0x40, after x.xml:2:53"
    );
}

#[test]
fn a_default_has_to_parse() {
    let default = |ty: &str, default: &str| {
        error(&composite(&format!(
            "<field name=\"b\" type=\"{ty}\" default=\"{default}\"/>"
        )))
    };
    assert_eq!(
        default("ushort", "70000"),
        "x.xml:4:40: `70000`, the default of field `b` of `a`, is not a ushort"
    );
    assert_eq!(
        default("boolean", "yes"),
        "x.xml:4:41: `yes`, the default of field `b` of `a`, is not a boolean"
    );
    assert_eq!(
        default("binary", "00"),
        "x.xml:4:40: `00`, the default of field `b` of `a`, is not a binary"
    );
    assert_eq!(
        default("a", "x"),
        "x.xml:4:35: `x`, the default of field `b` of `a`, is not a literal: its type has none"
    );
    let choice = "<field name=\"b\" type=\"c\" default=\"2\"/></type>\n<type name=\"c\" class=\"restricted\" source=\"ubyte\"><choice name=\"one\" value=\"1\"/>";
    assert_eq!(
        error(&composite(choice)),
        "x.xml:4:35: `2`, the default of field `b` of `a`, is not a choice of its type"
    );
    assert_eq!(
        error(&composite(
            "<field name=\"b\" type=\"uint\" default=\"1\" mandatory=\"true\"/>"
        )),
        "x.xml:4:38: field `b` of `a` is mandatory and has a default"
    );
    assert_eq!(
        error(&composite(
            "<field name=\"b\" type=\"uint\" default=\"1\" multiple=\"true\"/>"
        )),
        "x.xml:4:38: field `b` of `a` is multiple and has a default"
    );
}

#[test]
fn choices_have_to_parse() {
    let choices = |source: &str, choices: &str| {
        error(&schema(&format!(
            "<type name=\"a\" class=\"restricted\" source=\"{source}\">\n{choices}</type>"
        )))
    };
    assert_eq!(
        choices("ubyte", "<choice name=\"b\" value=\"256\"/>"),
        "x.xml:3:25: `256`, the choice `b` of `a`, is not a ubyte"
    );
    assert_eq!(
        choices(
            "ubyte",
            "<choice name=\"b\" value=\"1\"/><choice name=\"b\" value=\"2\"/>"
        ),
        "x.xml:3:53: a second choice `b`, after x.xml:3:25"
    );
    assert_eq!(
        choices("*", "<choice name=\"b\" value=\"1\"/>"),
        "x.xml:2:1: `a` has choices, but its source is any value"
    );
    assert_eq!(
        error(&schema("<definition name=\"LIMIT\" value=\"many\"/>")),
        "x.xml:2:33: `many`, the value of definition `LIMIT`, is not a uint"
    );
}

#[test]
fn somebody_has_to_provide_what_is_required() {
    assert_eq!(
        error(&composite(
            "<field name=\"b\" type=\"*\" requires=\"shape\"/>"
        )),
        "x.xml:4:36: no type provides `shape`, which field `b` of `a` requires"
    );
    // The table of exceptions lists this one.
    support::generate_from(
        &composite("<field name=\"b\" type=\"*\" requires=\"global-tx-id\"/>"),
        None,
    )
    .unwrap();
}

#[test]
fn what_provides_an_archetype_has_to_fit_it() {
    let field = |ty: &str| {
        format!(
            "<field name=\"b\" type=\"{ty}\" requires=\"p\"/></type>\n<type name=\"c\" class=\"composite\" source=\"list\" provides=\"p\"><descriptor name=\"e\"/>"
        )
    };
    assert_eq!(
        error(&composite(&field("symbol"))),
        "x.xml:4:23: field `b` of `a` is a `symbol`, which cannot provide `p`"
    );
    let restricted = |name: &str, source: &str, rest: &str| {
        format!(
            "<type name=\"{name}\" class=\"restricted\" source=\"{source}\" provides=\"p\">{rest}</type>\n"
        )
    };
    let choice = "<choice name=\"d\" value=\"d\"/>";
    assert_eq!(
        error(&schema(
            &(restricted("a", "symbol", choice) + &restricted("b", "uint", ""))
        )),
        "x.xml:3:1: `b` provides `p` by a value, but `a` by its names"
    );
    assert_eq!(
        error(&schema(
            &(restricted("a", "uint", "") + &restricted("b", "uint", ""))
        )),
        "x.xml:3:1: `b` provides `p` as a uint, as does the type at x.xml:2:1"
    );
    assert_eq!(
        error(&schema(
            &(restricted("a", "uint", "") + &restricted("b", "*", ""))
        )),
        "x.xml:3:1: `b` provides `p`, but may be any value"
    );
    assert_eq!(
        error(&schema(
            &(restricted("a", "symbol", choice)
                + &restricted("b", "symbol", "<choice name=\"other\" value=\"o\"/>"))
        )),
        "x.xml:3:92: choice `other` of `p` has the name of all others"
    );
    let multiple = "<field name=\"b\" type=\"*\" multiple=\"true\"/>";
    assert_eq!(
        error(&composite(multiple)),
        "x.xml:4:1: field `b` of `a` is multiple, but its values cannot share an array's constructor"
    );
}

#[test]
fn nothing_contains_itself() {
    assert_eq!(
        error(&composite("<field name=\"b\" type=\"a\"/>")),
        "x.xml:2:1: type `a` contains itself, through `a`"
    );
    let through = "<field name=\"b\" type=\"*\" requires=\"p\"/></type>\n<type name=\"c\" class=\"composite\" source=\"list\" provides=\"p\"><descriptor name=\"e\"/><field name=\"d\" type=\"a\"/>";
    assert_eq!(
        error(&composite(through)),
        "x.xml:2:1: type `a` contains itself, through `c`"
    );
}

#[test]
fn an_overlay_names_what_exists() {
    let xml = composite("<field name=\"b\" type=\"uint\"/>");
    let with = |overlay: &str| overlay_error(&xml, overlay);
    let ours = "<type name=\"a\">An a.<field name=\"b\">A b.</field></type>";
    let of = |inside: &str| with(&format!("<overlay for=\"x\">A.\n{inside}</overlay>"));
    assert_eq!(
        with("<overlay for=\"y\"/>"),
        "x.overlay.xml:1:15: overlay for an unknown schema `y`"
    );
    assert_eq!(
        with("<notes/>"),
        "x.overlay.xml:1:1: the root element is <notes>, not <overlay>"
    );
    assert_eq!(
        of("<field/>"),
        "x.overlay.xml:2:1: <field> is not expected inside <overlay>"
    );
    assert_eq!(
        of("<type name=\"c\">A c.</type>"),
        "x.overlay.xml:2:1: overlay names an unknown type `c`"
    );
    assert_eq!(
        of(&format!("{ours}\n<type name=\"a\">An a.</type>")),
        "x.overlay.xml:3:1: a second note on type `a`, after x.overlay.xml:2:1"
    );
    assert_eq!(
        of("<type name=\"a\">An a.<field name=\"c\">A c.</field></type>"),
        "x.overlay.xml:2:21: overlay names an unknown field `c` of `a`"
    );
    assert_eq!(
        of(
            "<type name=\"a\">An a.<field name=\"b\">A b.</field><choice name=\"c\">A c.</choice></type>"
        ),
        "x.overlay.xml:2:49: overlay names an unknown choice `c` of `a`"
    );
    assert_eq!(
        of(&format!("{ours}<definition name=\"C\">A c.</definition>")),
        "x.overlay.xml:2:56: overlay names an unknown definition `C` of `x`"
    );
    assert_eq!(
        of(&format!("<archetype name=\"c\">A c.</archetype>{ours}")),
        "x.overlay.xml:2:1: overlay names an unknown archetype `c`"
    );
}

#[test]
fn nothing_lacks_documentation_under_an_overlay() {
    let xml = composite(
        "<field name=\"b\" type=\"uint\"/></type>\n<type name=\"c\" class=\"restricted\" source=\"ubyte\"><choice name=\"d\" value=\"1\"/>",
    );
    let with =
        |inside: &str| overlay_error(&xml, &format!("<overlay for=\"x\">A.{inside}</overlay>"));
    assert_eq!(
        with(""),
        "x.xml:2:1: type `a` lacks documentation in the overlay"
    );
    assert_eq!(
        with("<type name=\"a\"><field name=\"b\">A b.</field></type>"),
        "x.xml:2:1: type `a` lacks documentation in the overlay"
    );
    assert_eq!(
        with("<type name=\"a\">An a.</type>"),
        "x.xml:4:1: field `b` of `a` lacks documentation in the overlay"
    );
    assert_eq!(
        with(
            "<type name=\"a\">An a.<field name=\"b\">A b.</field></type><type name=\"c\">A c.</type>"
        ),
        "x.xml:5:74: choice `d` of `c` lacks documentation in the overlay"
    );
    let definition = schema("<definition name=\"LIMIT\" value=\"1\"/>");
    assert_eq!(
        overlay_error(&definition, "<overlay for=\"x\">A.</overlay>"),
        "x.xml:2:1: definition `LIMIT` of `x` lacks documentation in the overlay"
    );
    let archetype = schema(
        "<type name=\"a\" class=\"composite\" source=\"list\" provides=\"p\"><descriptor name=\"d\"/></type>",
    );
    assert_eq!(
        overlay_error(
            &archetype,
            "<overlay for=\"x\">A.<type name=\"a\">An a.</type></overlay>"
        ),
        "x.overlay.xml:1:1: archetype `p` lacks documentation"
    );
}

#[test]
fn the_rules_of_an_overlay_fit_their_types() {
    let restricted = |source: &str, rule: &str| {
        let xml = schema(&format!(
            "<type name=\"a\" class=\"restricted\" source=\"{source}\"/>"
        ));
        overlay_error(
            &xml,
            &format!("<overlay for=\"x\">A.<type name=\"a\" {rule}>An a.</type></overlay>"),
        )
    };
    assert_eq!(
        restricted("binary", "max-length=\"long\""),
        "x.overlay.xml:1:47: max-length `long` is not a number of octets"
    );
    assert_eq!(
        restricted("string", "max-length=\"3\""),
        "x.xml:2:1: `a` has a longest length, but is not a binary"
    );
    assert_eq!(
        restricted("ulong", "serial=\"true\""),
        "x.xml:2:1: `a` is serial, but is not a uint"
    );
    assert_eq!(
        restricted("map", "key=\"sybol\""),
        "x.overlay.xml:1:40: unknown type `sybol` of type `a`"
    );
    assert_eq!(
        restricted("map", "value=\"@shape?\""),
        "x.overlay.xml:1:42: no type provides `shape`, which type `a` requires"
    );
    let field = |rule: &str, field: &str| {
        let note = format!(
            "<overlay for=\"x\">A.<type name=\"a\">An a.<field name=\"b\" {rule}>A b.</field></type></overlay>"
        );
        overlay_error(&composite(field), &note)
    };
    assert_eq!(
        field("key=\"symbol\"", "<field name=\"b\" type=\"uint\"/>"),
        "x.overlay.xml:1:61: field `b` of `a` is not a map"
    );
    assert_eq!(
        field(
            "default=\"1\"",
            "<field name=\"b\" type=\"uint\" default=\"2\"/>"
        ),
        "x.overlay.xml:1:65: field `b` of `a` has a default already, `2`"
    );
}

#[test]
fn what_a_type_provides_of_another_crate_needs_a_place_there() {
    let theirs = "<amqp name=\"base\"><section>\
        <type name=\"closed-one\" class=\"composite\" source=\"list\" provides=\"closed\"><descriptor name=\"c\"/></type>\
        <type name=\"only\" class=\"restricted\" source=\"string\" provides=\"sole\"/></section></amqp>";
    let ours = |provides: &str| {
        schema(&format!(
            "<type name=\"a\" class=\"composite\" source=\"list\" provides=\"{provides}\"><descriptor name=\"x:d\"/></type>"
        ))
    };
    assert_eq!(
        support::dependent_error(theirs, &ours("closed")),
        "x.xml:2:58: `closed` has no place for type `a`"
    );
    assert_eq!(
        support::dependent_error(theirs, &ours("sole")),
        "x.xml:2:58: `sole` has no place for type `a`"
    );
}

// tests: [TYP-30]
#[test]
fn a_descriptor_of_ones_own_is_not_in_the_standards_domain() {
    let ours = |descriptor: &str| {
        schema(&format!(
            "<type name=\"a\" class=\"composite\" source=\"list\">\n<descriptor {descriptor}/></type>"
        ))
    };
    let base = "<amqp name=\"base\"/>";
    assert_eq!(
        support::dependent_error(base, &ours("name=\"thing\"")),
        "x.xml:3:19: descriptor name `thing` is not of the form domain:name"
    );
    assert_eq!(
        support::dependent_error(base, &ours("name=\"x:thing\" code=\"0x0:0x7\"")),
        "x.xml:3:34: descriptor code 0x7 is in domain 0, which is the standard's"
    );
}

/// A composite type `a` with these fields, which start on line 4.
fn composite(fields: &str) -> String {
    schema(&format!(
        "<type name=\"a\" class=\"composite\" source=\"list\">\n<descriptor name=\"d\"/>\n{fields}</type>"
    ))
}
