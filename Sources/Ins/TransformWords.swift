import API
import Base
import Domain

/// A transform as its sender wrote it: where its parts stand in the frame that says it. Its numbers
/// are read for the rules and told on as they came.
struct TransformWords {
    /// The vectors that may be left out.
    private enum Part: Int, CaseIterable {
        case rotation, scale, velocity, acceleration

        var key: UInt8 {
            switch self {
            case .rotation: UInt8(ascii: "r")
            case .scale: UInt8(ascii: "s")
            case .velocity: UInt8(ascii: "v")
            case .acceleration: UInt8(ascii: "a")
            }
        }

        var count: Int { self == .rotation ? 4 : 3 }
    }

    /// Bytes of all numbers up to which they are told as they came; beyond it they are written
    /// anew, as nobody needs so many digits.
    private static let limit = 480

    /// Where the path stands, without its quotes.
    let path: Range<Int>
    /// The sender's clock.
    let at: Timestamp
    private let position: Range<Int>
    private var parts: [Range<Int>?] = [nil, nil, nil, nil]

    /// Reads the object in `range` of `frame`; nil for what is not of the contract's shape.
    init?(_ frame: [UInt8], _ range: Range<Int>) {
        guard let members = try? JSONScanner.members(of: frame, in: range) else { return nil }
        var (path, position, at): (Range<Int>?, Range<Int>?, Range<Int>?)
        func put(_ value: Range<Int>, _ place: inout Range<Int>?) -> Bool {
            // A second value of one name would be another transform to another reader.
            guard place == nil else { return false }
            place = value
            return true
        }
        for member in members {
            let (key, value) = (frame[member.key], member.value)
            if key.elementsEqual(Self.pathKey) {
                guard put(value, &path) else { return nil }
            } else if key.elementsEqual(Self.atKey) {
                guard put(value, &at) else { return nil }
            } else if key.count == 1, key.first == UInt8(ascii: "p") {
                guard put(value, &position) else { return nil }
            } else if key.count == 1, let part = Part.allCases.first(where: { $0.key == key.first })
            {
                // Null is as good as nothing.
                if frame[value.lowerBound] == UInt8(ascii: "n") { continue }
                guard put(value, &parts[part.rawValue]) else { return nil }
            }
        }
        guard let path, frame[path.lowerBound] == UInt8(ascii: "\""), let position, let at,
            let time = (try? JSONParser.parse(frame[at]))?.integerValue
        else { return nil }
        self.path = path.lowerBound + 1..<path.upperBound - 1
        self.position = position
        self.at = Timestamp(milliseconds: time)
    }

    private static let pathKey = Array("path".utf8)
    private static let atKey = Array("at".utf8)

    /// The transform of `path`; nil where numbers are missing or too many, or no number is meant.
    func transform(_ frame: [UInt8], of player: PlayerID, path: String) -> RoomTransform? {
        guard let p = JSONScanner.numbers(frame, position, count: 3) else { return nil }
        var vectors: [[Double]?] = [nil, nil, nil, nil]
        for part in Part.allCases {
            guard let range = parts[part.rawValue] else { continue }
            guard let numbers = JSONScanner.numbers(frame, range, count: part.count) else {
                return nil
            }
            vectors[part.rawValue] = numbers
        }
        return RoomTransform(
            player: player, path: path, p: p, r: vectors[Part.rotation.rawValue],
            s: vectors[Part.scale.rawValue], v: vectors[Part.velocity.rawValue],
            a: vectors[Part.acceleration.rawValue], at: at)
    }

    /// `,"p":[…],"r":[…],"at":…`: what is told behind the path.
    func told(_ frame: [UInt8], _ transform: RoomTransform) -> [UInt8] {
        let length = parts.reduce(position.count) { $0 + ($1?.count ?? 0) }
        var out = ByteWriter(capacity: 64 + length)
        if length <= Self.limit {
            Self.append(UInt8(ascii: "p"), to: &out)
            out.append(frame[position])
            for part in Part.allCases {
                guard let range = parts[part.rawValue] else { continue }
                Self.append(part.key, to: &out)
                out.append(frame[range])
            }
        } else {
            let vectors = [transform.r, transform.s, transform.v, transform.a]
            Self.append(UInt8(ascii: "p"), transform.p, to: &out)
            for part in Part.allCases {
                if let numbers = vectors[part.rawValue] {
                    Self.append(part.key, numbers, to: &out)
                }
            }
        }
        out.append(#","at":"#)
        out.append(decimal: at.milliseconds)
        return out.array()
    }

    private static func append(_ key: UInt8, to out: inout ByteWriter) {
        out.append(#",""#)
        out.append(key)
        out.append(#"":"#)
    }

    private static func append(_ key: UInt8, _ numbers: [Double], to out: inout ByteWriter) {
        append(key, to: &out)
        for (index, number) in numbers.enumerated() {
            out.append(index == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
            out.append(json: .double(number))
        }
        out.append(UInt8(ascii: "]"))
    }
}
