import Base
import Testing

/// RFC 4291 §2.2 in, RFC 5952 out; the outbound guard stands on the ranges.
struct IPAddressTests {
    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("255.255.255.255", "255.255.255.255"), ("0.0.0.0", "0.0.0.0"),
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:0db8::0001", "2001:db8::1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"), ("::FFFF:0102:0304", "::ffff:1.2.3.4"),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ])
    func `an address is read and written in its one spelling`(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
        #expect(IPAddress(canonical)?.description == canonical)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.+4",
        "1.2..4", "0x1.2.3.4", "1.2.3.1000", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1::2::3", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::", "1.2.3.4::",
        "::1.2.3", "::1.2.3.4:5", "fe80::1%eth0", "[::1]", "1:", ":1", "::1:",
        "1:2:3:4:5:6:7:1.2.3.4", "١.2.3.4",
    ])
    func `what is no address is refused`(text: String) { #expect(IPAddress(text) == nil) }

    @Test func `a mapped address is known for what it means`() throws {
        #expect(try #require(IPAddress("::ffff:127.0.0.1")).isLoopback)
        #expect(IPAddress("::ffff:9.8.7.6")?.unmapped == IPAddress("9.8.7.6"))
        #expect(IPAddress("::1")?.unmapped == IPAddress("::1"))
        #expect(IPAddress("127.9.9.9")?.isLoopback == true && IPAddress("::1")?.isLoopback == true)
        #expect(
            IPAddress("128.0.0.1")?.isLoopback == false && IPAddress("::2")?.isLoopback == false)
    }

    @Test func `random addresses and garbage come back or are refused`() {
        let random = SeededRandom(seed: 5_952)
        let alphabet = Array("0123456789abcdf:.::%/ ".utf8)
        for _ in 0..<4_000 {
            // Words that are often zero, for the gaps.
            let words = (0..<8).map { _ in
                UInt64(random.next(below: 3) * random.next(below: 0x8000))
            }
            let high = words[..<4].reduce(0) { $0 << 16 | $1 }
            let address = IPAddress.v6(high: high, low: words[4...].reduce(0) { $0 << 16 | $1 })
            #expect(IPAddress(address.description) == address)
            let garbage = (0..<random.next(below: 24)).map { _ in
                alphabet[random.next(below: alphabet.count)]
            }
            if let read = IPAddress(String(decoding: garbage, as: UTF8.self)) {
                #expect(IPAddress(read.description) == read)
            }
        }
    }
}

/// CIDR blocks, and which of them a node must never be talked into connecting to.
struct NetworkRangeTests {
    @Test func `a block holds what shares its prefix`() throws {
        let ten = try #require(NetworkRange("10.0.0.0/8"))
        #expect(ten.contains(IPAddress.v4(0x0AFF_FFFF)) && !ten.contains(IPAddress.v4(0x0B00_0000)))
        #expect(ten.contains(try #require(IPAddress("::ffff:10.1.2.3"))))
        #expect(!ten.contains(try #require(IPAddress("a00::"))))
        let six = try #require(NetworkRange("2001:db8::/33"))
        #expect(six.contains(try #require(IPAddress("2001:db8:7fff::1"))))
        #expect(!six.contains(try #require(IPAddress("2001:db8:8000::1"))))
        let low = try #require(NetworkRange("::8/125"))
        #expect(low.contains(.v6(high: 0, low: 15)) && !low.contains(.v6(high: 0, low: 16)))
        #expect(NetworkRange("1.2.3.4")?.description == "1.2.3.4/32")
        #expect(NetworkRange("0.0.0.0/0")?.contains(.v4(.max)) == true)
        #expect(NetworkRange("::/0")?.contains(.v6(high: .max, low: .max)) == true)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "::/129", "::1/64", "10.0.0.0/-1",
        "10.0.0.0/8/8", "10.0.0.0/+8", "10.0.0.0/0008", "10/8",
    ])
    func `what is no block is refused`(text: String) { #expect(NetworkRange(text) == nil) }

    @Test(arguments: [
        ("127.0.0.1", true), ("10.9.8.7", true), ("172.31.0.1", true), ("172.32.0.1", false),
        ("192.168.1.1", true), ("169.254.169.254", true), ("100.64.0.1", true), ("0.0.0.0", true),
        ("224.0.0.1", true), ("255.255.255.255", true), ("192.0.2.1", true), ("8.8.8.8", false),
        ("::", true), ("::1", true), ("::ffff:10.0.0.1", true), ("::ffff:8.8.8.8", false),
        ("64:ff9b::7f00:1", true), ("2002:7f00:1::", true), ("fe80::1", true), ("fd00::1", true),
        ("ff02::1", true), ("2001:db8::1", true), ("2606:4700::1111", false),
        ("2a00:1450::1", false),
    ])
    func `what is not public is known as such`(text: String, notPublic: Bool) throws {
        let address = try #require(IPAddress(text))
        #expect(NetworkRange.isPublic(address) != notPublic)
    }
}
