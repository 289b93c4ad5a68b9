//! The bytes themselves: they are on disks, and must be read by the next version.

use expect_test::expect;

use super::super::format;
use super::*;

/// A change of an entry's shape changes these; then `format::VERSION` rises, and the old form is read for as long as it may be on a disk.
#[test]
fn the_bytes_of_an_entry_are_what_they_were() {
    let hex = |entry: &Entry| {
        let mut buffer = Vec::new();
        let at = format::open(&mut buffer);
        buffer = postcard::to_extend(entry, buffer).unwrap();
        format::close(&mut buffer, at).unwrap();
        format::link(&mut buffer, 7);
        buffer.chunks(32).fold(String::new(), |text, line| {
            text + &line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
        })
    };
    expect![[r#"
        011b00000700000071c4b7712627b57500030a7465616d206d6f6e7468010474
        65616d07737570706f7274a5
    "#]]
    .assert_eq(&hex(&opened(3)));
    expect![[r#"
        01d8000007000000ab2bc52171c3e72c01057265715f3181f882b29f34c1f498
        b29f3407737570706f72740103616461010c6b374766326d513178593061000c
        737570706f72742d63686174126f70656e61692f6770742d346f2d6d696e69d0
        e4b1029c0305f7ccd5a2b4c6c88880deb7de9af1d9a2a30280b6fcaf0df2c001
        f6ccd5a2b4c6c88880deb7de9af1d9a2a30280b6fcaf0df4c001f5ccd5a2b4c6
        c88880deb7de9af1d9a2a30280b6fcaf0df6c001f4ccd5a2b4c6c88880deb7de
        9af1d9a2a30280b6fcaf0df8c001f3ccd5a2b4c6c88880deb7de9af1d9a2a302
        80b6fcaf0dfac001a5
    "#]]
    .assert_eq(&hex(&hold(1)));
    expect![[r#"
        01450000070000008b0e8164daaf933302057265715f31e8ff82b29f3494b94c
        02f7ccd5a2b4c6c88880deb7de9af1d9a2a30280b6fcaf0df2c001f6ccd5a2b4
        c6c88880deb7de9af1d9a2a30280b6fcaf0df4c001a5
    "#]]
    .assert_eq(&hex(&extension(1)));
    expect![[r#"
        01f40000070000008285232dc436934d03057265715f31d08783b29f34077375
        70706f72740103616461010c6b374766326d513178593061000c737570706f72
        742d63686174000101066f70656e6169126f70656e61692f6770742d346f2d6d
        696e69fc02780000000000000000000000d0df0f0a323032362d31312d303105
        f7ccd5a2b4c6c88880deb7de9af1d9a2a30280b6fcaf0df2c001f6ccd5a2b4c6
        c88880deb7de9af1d9a2a30280b6fcaf0df4c001f5ccd5a2b4c6c88880deb7de
        9af1d9a2a30280b6fcaf0df6c001f4ccd5a2b4c6c88880deb7de9af1d9a2a302
        80b6fcaf0df8c001f3ccd5a2b4c6c88880deb7de9af1d9a2a30280b6fcaf0dfa
        c0010000a5
    "#]]
    .assert_eq(&hex(&settlement(1)));
}

#[test]
fn an_unwritten_end_is_told_from_damage() {
    let rows: &[(&str, &[u8], u64, bool)] = &[
        ("pages of zeros", &[0; 600], 100, true),
        ("one zero", &[0], 100, true),
        (
            "zeros from the sector's begin on",
            &[[7; 12].as_slice(), &[0; 20]].concat(),
            500,
            true,
        ),
        (
            "zeros that begin before a sector and reach into it",
            &[[7; 10].as_slice(), &[0; 20]].concat(),
            500,
            true,
        ),
        ("zeros within one sector", &[[7; 10].as_slice(), &[0; 20]].concat(), 100, false),
        (
            "zeros that something follows",
            &[[7; 12].as_slice(), &[0; 600], &[1]].concat(),
            500,
            false,
        ),
        ("nothing", &[], 500, false),
    ];
    for (what, tail, offset, unwritten) in rows {
        assert_eq!(format::is_unwritten(tail, *offset), *unwritten, "{what}");
    }
}
