import Base
import Domain
import Net
import Runtime
import Testing

private enum Registration: String, CaseIterable { case open, closed }

/// Each type of setting takes what an operator means and refuses the rest, saying what it takes.
struct SettingTests {
    @Test func `yes or no is one of two words`() {
        let kind = SettingKind<Bool>.bool
        #expect(kind.parse("true") == true && kind.parse("false") == false)
        for bad in ["", "yes", "TRUE", "1", "true "] { #expect(kind.parse(bad) == nil) }
        #expect(kind.accepted == "true or false")
    }

    @Test func `a number stays within its range`() {
        let kind = SettingKind<Int>.int(-1...64)
        #expect(kind.parse("-1") == -1 && kind.parse("64") == 64)
        for bad in ["", "65", "-2", "+5", "1.0", "0x1", " 1", "99999999999999999999"] {
            #expect(kind.parse(bad) == nil)
        }
        #expect(kind.accepted == "a whole number from -1 to 64")
    }

    @Test(arguments: [
        ("64MiB", 64 << 20), ("512B", 512), ("1000", 1_000), ("1KiB", 1_024), ("2GiB", 2 << 30),
    ])
    func `a size has a binary unit, or is bytes`(text: String, bytes: Int) {
        let kind = SettingKind<ByteCount>.byteCount(.init(bytes: 0)...(.gibibytes(4)))
        #expect(kind.parse(text)?.bytes == bytes)
    }

    @Test func `other sizes are refused`() {
        let kind = SettingKind<ByteCount>.byteCount(.kibibytes(1)...(.gibibytes(1)))
        for bad in ["", "MiB", "64MB", "1.5MiB", "-1KiB", "64 MiB", "1023", "2GiB", "9999999TiB"] {
            #expect(kind.parse(bad) == nil, "\(bad)")
        }
        #expect(kind.accepted == "a size such as 512KiB or 64MiB, from 1KiB to 1GiB")
    }

    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("10min", .seconds(600)), ("0s", .zero),
        ("2h", .seconds(7_200)), ("7d", .seconds(604_800)), ("20us", .microseconds(20)),
    ])
    func `a duration has a unit`(text: String, duration: Duration) {
        #expect(
            SettingKind<Duration>.duration(.zero ... .seconds(1_000_000)).parse(text) == duration)
    }

    @Test func `other durations are refused`() {
        let kind = SettingKind<Duration>.duration(.seconds(1) ... .seconds(3_600))
        for bad in ["", "5", "ms", "1.5s", "-1s", "5 s", "500ms", "2h", "1month", "10m"] {
            #expect(kind.parse(bad) == nil, "\(bad)")
        }
        #expect(kind.accepted == "a duration such as 500ms, 30s or 10min, from 1s to 1h")
        #expect(Duration.milliseconds(1_500).setting == "1500ms")
        #expect(Duration.zero.setting == "0us")
    }

    @Test func `a text and a path stay on one line`() {
        #expect(SettingKind<String>.text(1...4).parse("añb") == "añb")
        for bad in ["", "abcde", "a\nb", "a\u{1B}", "\u{9B}"] {
            #expect(SettingKind<String>.text(1...4).parse(bad) == nil)
        }
        #expect(SettingKind<String>.path.parse("data/a b") == "data/a b")
        #expect(SettingKind<String>.secretFile.parse("k") == "k")
        #expect(SettingKind<String>.path.parse("") == nil)
    }

    @Test func `a place to listen has an address in digits and a port`() {
        let kind = SettingKind<SocketAddress>.listenAddress
        #expect(kind.parse("127.0.0.1:0")?.port == 0)
        #expect(kind.parse("[::1]:3033")?.ip.isLoopback == true)
        for bad in ["", "3033", "localhost:3033", "1.2.3.4", "::1:80", "1.2.3.4:65536", "1.2.3.4:"]
        {
            #expect(kind.parse(bad) == nil, "\(bad)")
        }
    }

    @Test func `a place to connect to has a host and a port`() {
        let kind = SettingKind<HostAndPort>.hostAndPort
        #expect(kind.parse("eta.internal:3033") == HostAndPort(host: "eta.internal", port: 3_033))
        #expect(kind.parse("[::1]:1")?.description == "[::1]:1")
        #expect(kind.parse("127.0.0.1:3033")?.isLoopback == true)
        #expect(kind.parse("localhost:3033")?.isLoopback == true)
        #expect(kind.parse("a.example:3033")?.isLoopback == false)
        for bad in [
            "", "a", "a:0", "a:70000", "a:+1", ":80", "a b:80", "[::1:80", "a/b:80", "u@h:1",
        ] {
            #expect(kind.parse(bad) == nil, "\(bad)")
        }
    }

    @Test func `a server address is normalised`() {
        #expect(
            SettingKind<ServerAddress>.serverAddress.parse("A.example:443")?.text == "a.example")
        #expect(SettingKind<ServerAddress>.serverAddress.parse("a b") == nil)
    }

    @Test func `a list is separated by commas`() {
        let kind = SettingKind<[NetworkRange]>.list(of: .networkRange)
        #expect(kind.parse("")?.isEmpty == true)
        #expect(kind.parse("10.0.0.0/8, fd00::/8")?.count == 2)
        for bad in [",", "10.0.0.0/8,", "10.0.0.0/33", "a"] { #expect(kind.parse(bad) == nil) }
        let some = SettingKind<[HostAndPort]>.list(of: .hostAndPort, 1...2)
        #expect(some.parse("a:1,b:2")?.count == 2)
        #expect(some.parse("") == nil && some.parse("a:1,b:1,c:1") == nil)
    }

    @Test func `a word is one of an enum's`() {
        let kind = SettingKind<Registration>.word
        #expect(kind.parse("closed") == .closed)
        #expect(kind.parse("Closed") == nil)
        #expect(kind.accepted == "one of open, closed")
        #expect(SettingKind<LogLevel>.logLevel.parse("notice") == .notice)
    }

    @Test func `nothing is a value where it may be`() {
        let kind = SettingKind<SocketAddress?>.optional(.listenAddress)
        #expect(kind.parse("") == .some(nil))
        #expect(kind.parse("x") == nil)
        #expect(SettingKind<Secret?>.secret.parse("abc") == .some(Secret("abc")))
    }
}
