//! Which addresses are of the public internet.
//!
//! Source: the IANA registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890 and its updates).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 that are not public, as first address and length of the prefix.
const SPECIAL_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),       // this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by the customers of a provider
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, metadata of clouds
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 31, 196, 0], 24), // AS112
    ([192, 52, 193, 0], 24), // AMT
    ([192, 88, 99, 0], 24),  // relays of 6to4
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarking
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 3),     // multicast, reserved, broadcast
];

/// Blocks of the global unicast space of IPv6 that are not public.
const SPECIAL_V6: [([u16; 3], u32); 5] = [
    ([0x2001, 0, 0], 23),         // protocol assignments: Teredo, benchmarking, ORCHID
    ([0x2001, 0xdb8, 0], 32),     // documentation
    ([0x2620, 0x4f, 0x8000], 48), // AS112
    ([0x3fff, 0, 0], 20),         // documentation
    ([0x3ffe, 0, 0], 16),         // the former 6bone
];

/// Whether an address is a unicast address of the public internet. An IPv6 address that stands for an IPv4 one (NAT64, 6to4) is public if that is; any other form of embedding,
/// such as `::ffff:1.2.3.4`, is not.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |&(block, prefix): &([u8; 4], u32)| {
        (address.to_bits() ^ Ipv4Addr::from(block).to_bits()) >> (32 - prefix) == 0
    };
    !SPECIAL_V4.iter().any(within)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded =
        |high: u16, low: u16| is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match segments {
        // NAT64: what a network without IPv4 answers for a name that has nothing else.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 6to4.
        [0x2002, high, low, ..] => embedded(high, low),
        [first, ..] => {
            let within = |&([a, b, c], prefix): &([u16; 3], u32)| {
                let block = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0);
                (address.to_bits() ^ block.to_bits()) >> (128 - prefix) == 0
            };
            // Outside 2000::/3 nothing is assigned to the public.
            first & 0xe000 == 0x2000 && !SPECIAL_V6.iter().any(within)
        }
    }
}

/// Whether nobody can be reached at an address, on a private network either.
pub(crate) fn is_nobody(address: IpAddr) -> bool {
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    address.is_unspecified() || address.is_multicast() || broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_and_others() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2400::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2002:c0a8:101::",
            "3fff::1",
            "3ffe::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
