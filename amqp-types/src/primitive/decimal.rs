//! Decimal floating point numbers (sections 1.6.13 to 1.6.15).
//!
//! Decides that they are opaque: IEEE 754-2008 decimals with a binary integer
//! significand, kept as their octets in network byte order. Leaves arithmetic and
//! text to crates that are made for it.

macro_rules! decimal {
    ($name:ident, $width:literal, $section:literal) => {
        #[doc = concat!(
            "A decimal of ", stringify!($width), " octets in network byte order: IEEE 754-2008 ",
            "with a binary integer significand (section ", $section, ").\n\n",
            "Opaque here: two are equal where their octets are, so that 1.0 and 1.00 differ."
        )]
        // [TYP-12]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub [u8; $width]);

        impl From<[u8; $width]> for $name {
            fn from(octets: [u8; $width]) -> Self {
                Self(octets)
            }
        }

        impl From<$name> for [u8; $width] {
            fn from(decimal: $name) -> Self {
                decimal.0
            }
        }
    };
}

decimal!(Decimal32, 4, "1.6.13");
decimal!(Decimal64, 8, "1.6.14");
decimal!(Decimal128, 16, "1.6.15");
