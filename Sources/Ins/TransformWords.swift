import API
import Base
import Domain

/// A transform as its sender wrote it: where its parts stand in the frame that says it. Its numbers
/// are read for the rules and told on as they came.
struct TransformWords {
    /// The vectors that may be left out.
    private enum Part: Int, CaseIterable {
        case rotation, scale, velocity, acceleration

        var name: StaticString {
            switch self {
            case .rotation: "r"
            case .scale: "s"
            case .velocity: "v"
            case .acceleration: "a"
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
        guard let object = try? JSONScanner.object(frame, in: range),
            let path = object["path"], frame[path.lowerBound] == UInt8(ascii: "\""),
            let position = object["p"],
            let time = object["at"].flatMap({ try? JSONParser.parse(frame[$0]) })?.integerValue
        else { return nil }
        for part in Part.allCases {
            // Null is as good as nothing.
            if let value = object[part.name], frame[value.lowerBound] != UInt8(ascii: "n") {
                parts[part.rawValue] = value
            }
        }
        self.path = path.lowerBound + 1..<path.upperBound - 1
        self.position = position
        self.at = Timestamp(milliseconds: time)
    }

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
            Self.append("p", to: &out)
            out.append(frame[position])
            for part in Part.allCases {
                guard let range = parts[part.rawValue] else { continue }
                Self.append(part.name, to: &out)
                out.append(frame[range])
            }
        } else {
            let vectors = [transform.r, transform.s, transform.v, transform.a]
            Self.append("p", transform.p, to: &out)
            for part in Part.allCases {
                if let numbers = vectors[part.rawValue] {
                    Self.append(part.name, numbers, to: &out)
                }
            }
        }
        out.append(#","at":"#)
        out.append(decimal: at.milliseconds)
        return out.array()
    }

    private static func append(_ key: StaticString, to out: inout ByteWriter) {
        out.append(#",""#)
        out.append(key)
        out.append(#"":"#)
    }

    private static func append(
        _ key: StaticString, _ numbers: [Double], to out: inout ByteWriter
    ) {
        append(key, to: &out)
        for (index, number) in numbers.enumerated() {
            out.append(index == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
            out.append(json: .double(number))
        }
        out.append(UInt8(ascii: "]"))
    }
}
