import Base

/// A password that may be set: long enough, and not among those that everybody tries first.
///
/// It can be encoded since clients send it; it has no description.
public struct Password: Sendable, Equatable, Codable, JSONDescribed {
    /// What is hashed; each use is a place to look at.
    public let secret: Secret

    /// 8 to 256 characters, not among the most common.
    public init?(_ text: String) {
        guard text.utf8.count <= 4 * 256, (8...256).contains(text.unicodeScalars.count),
            !Self.common.contains(text.lowercased())
        else { return nil }
        secret = Secret(text)
    }

    /// Reads a string and checks it.
    public init(from decoder: any Decoder) throws {
        self = try decoder.checked { (raw: String) in Self(raw) }
    }

    /// Writes the password, on its way to the server.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(decoding: secret.reveal(), as: UTF8.self))
    }

    /// 8 to 256 characters.
    public static var jsonSchema: JSONValue {
        [
            "type": "string", "minLength": 8, "maxLength": 256, "format": "password",
            "description": .string(expectation),
        ]
    }
    /// The rule in words.
    public static var expectation: String {
        "8 to 256 characters and not among the most common passwords"
    }
    /// A valid one.
    public static var sample: Password { known(Password("correct horse battery"), "sample") }

    /// What is tried first, in lower case; shorter ones are refused by their length anyhow.
    private static let common = Set(
        """
        password password1 password12 password123 password1234 password12345 password! password1!
        password123! passw0rd passw0rd! p@ssw0rd p@ssword p@ssw0rd1 p@$$w0rd pa$$word pa55word
        passwort passwort1 passwort123 motdepasse motdepasse1 contrasena contraseña wachtwoord
        lösenord salasana parola123 senha123 senha1234 haslo123 heslo123 mypassword newpassword
        yourpassword thepassword testpassword adminpassword rootpassword userpassword passpass
        passwordpassword 12345678 123456789 1234567890 12345678910 123456789a 1234567891
        0123456789 987654321 9876543210 87654321 876543210 11111111 111111111 1111111111 00000000
        000000000 0000000000 22222222 33333333 44444444 55555555 66666666 77777777 88888888
        888888888 99999999 999999999 12341234 11223344 1122334455 12121212 123123123 12312312
        123321123 12344321 123454321 13131313 69696969 10101010 01010101 20202020 11112222
        14141414 147258369 147852369 159357258 159753159 741852963 789456123 963852741 1234qwer
        1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 zaq12wsx zaq1zaq1 qazwsxedc
        qazwsxedcrfv qazwsx123 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 qwer1234 qwert123 qwert1234 qwerty12
        qwerty123 qwerty1234 qwerty12345 qwerty123456 qwertyui qwertyuiop qwertyuiop123 qwertzui
        qwertzuiop azertyui azertyuiop azerty123 azerty1234 asdfghjk asdfghjkl asdf1234 asdfasdf
        asdfqwer qweasdzxc qweqweqwe qwerqwer zxcvbnm1 zxcvbnm123 zxcvbnm, zxcvzxcv 1234abcd
        abcd1234 abc12345 abc123456 abcdefgh abcdefghi abcdefghij abcdef123 a1b2c3d4 a1b2c3d4e5
        a1234567 a12345678 a123456789 aa123456 aa12345678 aaaaaaaa aaaaaaaaaa abcabcabc abcdabcd
        1a2b3c4d iloveyou iloveyou1 iloveyou2 iloveyou123 iloveyou! iloveu123 loveyou1 ilovegod
        ihateyou fuckyou1 fuckyou2 fuckyou123 babygirl babygirl1 sunshine sunshine1 princess
        princess1 football football1 baseball baseball1 basketball basketball1 softball1 volleyball
        superman superman1 batman123 spiderman spiderman1 starwars starwars1 pokemon1 pokemon123
        minecraft minecraft1 minecraft123 fortnite fortnite1 roblox123 nintendo playstation
        trustno1 trustno1! letmein1 letmein123 letmein! letmeinnow welcome1 welcome12 welcome123
        welcome1234 welcome! welcome2020 changeme changeme1 changeme123 changeit default1
        default123 secret123 topsecret administrator admin123 admin1234 admin12345 admin123456
        adminadmin admin@123 root1234 rootroot toor1234 test1234 test12345 testtest testing1
        testing123 testuser guest123 guestguest user1234 username login123 master123 masterkey
        computer computer1 internet internet1 michelle jennifer jennifer1 jessica1 jordan23
        jordan123 michael1 charlie1 charlie123 samantha danielle alexander alexander1 christopher
        elizabeth victoria victoria1 benjamin jonathan nicholas mohammed butterfly butterfly1
        chocolate chocolate1 cocacola snoopy123 hello123 hello1234 hellohello helloworld
        hellothere whatever whatever1 blink182 mustang1 corvette mercedes liverpool liverpool1
        chelsea1 arsenal1 barcelona barcelona1 realmadrid juventus dragon123 shadow123 monkey123
        killer123 ninja123 pussycat hottie123 lovelove lovely123 letmelove freedom1 firebird
        maverick metallica midnight nothing1 rainbow1 redskins remember scorpion sebastian
        september1 october2020 november1 december1 january1 summer2020 summer2021 summer2022
        summer2023 summer2024 winter2020 winter2021 winter2022 winter2023 winter2024 spring2024
        autumn2024 qwe123qwe qwe12345 google123 facebook facebook1 linkedin samsung1 samsung123
        motorola windows1 microsoft access14 blahblah asdfzxcv zxcvasdf
        """.split { $0 == " " || $0 == "\n" }.map(String.init))
}

/// A password that somebody claims to have; whether it could be set is not asked, so that a wrong
/// one is answered alike whatever it looks like.
public struct PasswordAttempt: Sendable, Equatable, Codable, JSONDescribed {
    /// What is compared.
    public let secret: Secret

    /// Anything of at most 1,024 bytes.
    public init?(_ text: String) {
        guard text.utf8.count <= 1024 else { return nil }
        secret = Secret(text)
    }

    /// Reads a string.
    public init(from decoder: any Decoder) throws {
        self = try decoder.checked { (raw: String) in Self(raw) }
    }

    /// Writes the password, on its way to the server.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(decoding: secret.reveal(), as: UTF8.self))
    }

    /// Any string.
    public static var jsonSchema: JSONValue {
        ["type": "string", "maxLength": 1024, "format": "password"]
    }
    /// The rule in words.
    public static var expectation: String { "a password of at most 1024 bytes" }
    /// A valid one.
    public static var sample: PasswordAttempt { known(PasswordAttempt(""), "") }
}

/// What one logs in with: an id, a username or an email address; anything else is nobody's.
public struct LoginName: TextScalar {
    /// As it was typed.
    public let text: String

    /// 1 to 254 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// The account's id, where it looks like one.
    public var id: UserID? { UserID(text) }
    /// The account's name, where it looks like one.
    public var username: Username? { Username(text) }
    /// The account's email address, where it looks like one.
    public var email: EmailAddress? { EmailAddress(text) }

    /// 1 to 254 characters.
    public static let shape = TextShape(
        1...254, expectation: "a username, an id or an email address", sample: "ada_l")
}
