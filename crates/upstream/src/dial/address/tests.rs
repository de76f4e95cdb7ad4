use super::*;

/// Addresses of every class in every notation that an address parser takes.
const TABLE: &[(AddressClass, &[&str])] = &[
    (
        AddressClass::Public,
        &[
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450:4001:81b::200e",
            "2400:cb00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ],
    ),
    (
        AddressClass::Loopback,
        &[
            "127.0.0.1",
            "127.0.0.53",
            "127.1.2.3",
            "127.255.255.255",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "0:0:0:0:0:ffff:7f00:0001",
            "::127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:7f00:0001::1",
            "2001:0:102:304:0:0:80ff:fffe",
            "2001:0:7f00:1:0:0:fefe:fefe",
            "2606:4700::5efe:127.0.0.1",
            "2606:4700::200:5efe:7f00:1",
        ],
    ),
    (
        AddressClass::Private,
        &[
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.168.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "fc00::1",
            "fd12:3456:789a::1",
            "fdff::ffff",
            "fec0::1",
            "::ffff:10.0.0.1",
            "::ffff:c0a8:1",
            "::10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::192.168.1.1",
            "64:ff9b:1::1.1.1.1",
            "2002:a00:1::",
            "2002:c0a8:101::1",
            "2001:0:a00:1:0:0:fefe:fefe",
            "2001:0:102:304:0:0:f5ff:fffe",
            "2a00::5efe:10.0.0.1",
        ],
    ),
    (
        AddressClass::LinkLocal,
        &[
            "169.254.0.1",
            "169.254.169.253",
            "169.254.255.255",
            "fe80::1",
            "fe80::5efe:10.0.0.1",
            "febf::1",
            "::ffff:169.254.1.1",
            "64:ff9b::169.254.1.1",
            "2002:a9fe:101::",
        ],
    ),
    (
        AddressClass::Metadata,
        &[
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:a9fe:a9fe:0:0:fefe:fefe",
            "2001:0:102:304:0:0:5601:5601",
            "2a00::5efe:169.254.169.254",
            "::ffff:100.100.100.200",
        ],
    ),
    (
        AddressClass::Unspecified,
        &["0.0.0.0", "0.0.0.1", "0.255.255.255", "::", "::ffff:0.0.0.0", "64:ff9b::", "2002::1"],
    ),
    (
        AddressClass::Multicast,
        &["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1", "::ffff:224.0.0.1", "64:ff9b::e000:1"],
    ),
    (AddressClass::Broadcast, &["255.255.255.255", "::ffff:255.255.255.255", "64:ff9b::ffff:ffff"]),
    (
        AddressClass::Documentation,
        &["192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1", "::ffff:192.0.2.1"],
    ),
    (AddressClass::Benchmarking, &["198.18.0.1", "198.19.255.255", "2001:2::1", "::ffff:198.18.0.1"]),
    (
        AddressClass::Reserved,
        &[
            "240.0.0.1",
            "255.255.255.254",
            "192.88.99.1",
            "192.31.196.1",
            "4000::1",
            "100::1",
            "5f00::1",
            "1::1",
            "2001:10::1",
            "2001:20::1",
            "8000::1",
            "::ffff:240.0.0.1",
            "64:ff9b:2::1",
        ],
    ),
];

#[test]
fn names_the_class_of_every_form() {
    let mut forms = 0;
    for (class, addresses) in TABLE {
        for address in *addresses {
            assert_eq!(classify(address.parse().expect(address)), *class, "{address}");
            forms += 1;
        }
    }
    assert!(forms >= 100, "{forms} forms");
}

#[test]
fn permissions_open_only_what_they_name() {
    for (class, _) in TABLE {
        let allowed = [(false, false), (true, false), (false, true), (true, true)]
            .map(|(private, link_local)| class.is_allowed(private, link_local));
        let expected = match class {
            AddressClass::Public => [true; 4],
            AddressClass::Documentation
            | AddressClass::Benchmarking
            | AddressClass::Private
            | AddressClass::Loopback => [false, true, false, true],
            AddressClass::LinkLocal | AddressClass::Metadata => [false, false, true, true],
            AddressClass::Multicast
            | AddressClass::Broadcast
            | AddressClass::Unspecified
            | AddressClass::Reserved => [false; 4],
        };
        assert_eq!(allowed, expected, "{class}");
    }
}
