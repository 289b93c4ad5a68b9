//! Labels and clearances: rows, and the laws of a lattice.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

mod claims;
mod dispatch;

fn read(text: &str) -> Label {
    Label::parse(text).unwrap()
}

/// A clearance, written as a label is.
fn cleared(text: &str) -> Clearance {
    Clearance(read(text))
}

#[test]
fn what_goes_where() {
    use Part::{Compartments, Level, Processors, Regions};
    let rows = [
        ("public", "public", Ok(())),
        ("internal", "public", Err(Level)),
        ("confidential", "restricted", Ok(())),
        ("restricted", "confidential", Err(Level)),
        ("public; compartments=hr", "restricted", Err(Compartments)),
        ("public; compartments=hr", "restricted; compartments=hr,legal", Ok(())),
        ("public; compartments=hr,legal", "restricted; compartments=hr", Err(Compartments)),
        // Where a place stands is unknown: it may be anywhere.
        ("public; regions=eu", "restricted", Err(Regions)),
        ("public; regions=eu", "restricted; regions=eu", Ok(())),
        ("public; regions=eu,us", "restricted; regions=eu", Ok(())),
        ("public; regions=eu", "restricted; regions=eu,us", Err(Regions)),
        ("public", "restricted; regions=eu,us", Ok(())),
        ("public; processors=lab", "restricted; regions=eu", Err(Processors)),
        ("public; processors=lab,openai", "public; processors=openai", Ok(())),
        // The first part that keeps it is told.
        ("restricted; compartments=hr; regions=eu", "public", Err(Level)),
    ];
    for (label, clearance, expected) in rows {
        assert_eq!(read(label).flows_to(&cleared(clearance)), expected, "{label} → {clearance}");
    }
    assert_eq!(read("confidential").flows_to(&Clearance::default()), Ok(()));
    assert_eq!(read("restricted").flows_to(&Clearance::default()), Err(Level));
    assert!(
        Label::unreadable()
            .flows_to(&cleared("restricted; compartments=hr; regions=eu; processors=lab"))
            .is_err()
    );
}

#[test]
fn what_two_labels_make_together() {
    let rows = [
        ("public", "internal", "internal"),
        ("restricted", "internal; compartments=hr", "restricted; compartments=hr"),
        (
            "public; compartments=hr",
            "public; compartments=legal,hr",
            "public; compartments=hr,legal",
        ),
        ("public; regions=eu,us", "internal; regions=us,jp", "internal; regions=us"),
        ("public; regions=eu", "public; processors=lab", "public; regions=eu; processors=lab"),
        ("public; regions=eu", "public", "public; regions=eu"),
    ];
    for (one, two, together) in rows {
        assert_eq!(read(one).join(&read(two)), read(together), "{one} ⊔ {two}");
        assert_eq!(read(two).join(&read(one)), read(together), "{two} ⊔ {one}");
    }
    // Nothing is in two places at once: what may be only here and only there may be nowhere.
    let nowhere = read("public; regions=eu").join(&read("public; regions=us"));
    assert_eq!(nowhere.to_string(), "public; regions=");
    assert_eq!(nowhere.flows_to(&cleared("restricted; regions=eu")), Err(Part::Regions));
    assert_eq!(nowhere.flows_to(&cleared("restricted")), Err(Part::Regions));
}

#[test]
fn labels_are_written_as_they_are_read() {
    let rows = [
        ("confidential", Ok("confidential")),
        (
            " confidential ;compartments = legal , hr,hr; regions=eu",
            Ok("confidential; compartments=hr,legal; regions=eu"),
        ),
        ("public; processors=a.b_c-1", Ok("public; processors=a.b_c-1")),
        ("", Err(NotALabel::Level)),
        ("Confidential", Err(NotALabel::Level)),
        ("secret", Err(NotALabel::Level)),
        ("public;", Err(NotALabel::Part)),
        ("public; eu", Err(NotALabel::Part)),
        ("public; region=eu", Err(NotALabel::Part)),
        ("public; regions=eu; regions=us", Err(NotALabel::Part)),
        ("public; regions=", Err(NotALabel::List)),
        ("public; regions=eu,,us", Err(NotALabel::List)),
        ("public; regions=EU", Err(NotALabel::Name)),
        ("public; regions=e u", Err(NotALabel::Name)),
    ];
    for (text, expected) in rows {
        assert_eq!(
            Label::parse(text).map(|label| label.to_string()),
            expected.map(str::to_owned),
            "{text}"
        );
    }
    let long = |names: usize| format!("public; compartments={}", vec!["a"; names].join(","));
    assert!(Label::parse(&long(32)).is_ok());
    assert_eq!(Label::parse(&long(33)), Err(NotALabel::List));
    let name = |bytes: usize| Label::parse(&format!("public; compartments={}", "a".repeat(bytes)));
    assert!(name(NAME_BYTES_MAX).is_ok());
    assert_eq!(name(NAME_BYTES_MAX + 1), Err(NotALabel::Name));
}

#[test]
fn a_level_alone_takes_no_memory_of_its_own() {
    assert!(read("restricted").join(&read("public")).bounds.is_none());
    assert!(size_of::<Label>() <= 16);
    let (one, same) = (read("public; regions=eu"), read("internal"));
    assert!(Arc::ptr_eq(one.join(&same).bounds.as_ref().unwrap(), one.bounds.as_ref().unwrap()));
}

#[test]
fn the_order_is_a_lattice() {
    let names = ["", "a", "b", "a,b"];
    let mut labels = Vec::new();
    for level in ["public", "restricted"] {
        for compartments in names {
            for regions in names {
                for processors in ["", "a", "b"] {
                    let part = |key: &str, list: &str| {
                        if list.is_empty() {
                            String::new()
                        } else {
                            format!("; {key}={list}")
                        }
                    };
                    labels.push(read(&format!(
                        "{level}{}{}{}",
                        part("compartments", compartments),
                        part("regions", regions),
                        part("processors", processors)
                    )));
                }
            }
        }
    }
    for one in &labels {
        assert_eq!(one.join(one), *one);
        for two in &labels {
            let together = one.join(two);
            assert!(one.within(&together).is_ok() && two.within(&together).is_ok(), "{one} ⊔ {two}");
            let below = one.within(two).is_ok();
            assert_eq!(below, together == *two, "{one} ⊑ {two}");
            assert!(!(below && two.within(one).is_ok()) || one == two, "{one} = {two}");
            // The lowest: what lies above both lies above the join.
            for three in labels.iter().step_by(7) {
                let above = one.within(three).is_ok() && two.within(three).is_ok();
                assert_eq!(above, together.within(three).is_ok(), "{one} ⊔ {two} ⊑ {three}");
            }
        }
    }
}
