import Base
import Domain

/// The one JSON object around every answer: `{request, time, data | error, redirect?}`.
///
/// It is written around bytes, so that what is kept encoded is never encoded again.
public enum Envelope {
    /// Writes all before the value of `data`.
    public static func open(
        request: ArraySlice<UInt8>, time: Timestamp, into out: inout ByteWriter
    ) {
        out.append(#"{"request":"#)
        appendTarget(request, into: &out)
        out.append(#","time":"#)
        out.append(decimal: time.milliseconds)
        out.append(#","data":"#)
    }

    /// Writes all behind the value of `data`.
    public static func close(redirect: Gateway? = nil, into out: inout ByteWriter) {
        append(redirect, into: &out)
        out.append(UInt8(ascii: "}"))
    }

    /// Writes a whole failure.
    public static func failure(
        _ error: APIError, request: ArraySlice<UInt8>, time: Timestamp,
        redirect: Gateway? = nil, into out: inout ByteWriter
    ) {
        out.append(#"{"request":"#)
        appendTarget(request, into: &out)
        out.append(#","time":"#)
        out.append(decimal: time.milliseconds)
        out.append(#","error":"#)
        appendError(error, into: &out)
        append(redirect, into: &out)
        out.append(UInt8(ascii: "}"))
    }

    /// Writes `{code, message, details?, position?, length?}`, as the socket does too.
    public static func appendError(_ error: APIError, into out: inout ByteWriter) {
        out.append(#"{"code":"#)
        out.append(decimal: error.code.rawValue)
        out.append(#","message":"#)
        out.append(jsonString: error.code.message)
        if !error.details.isEmpty {
            out.append(#","details":"#)
            JSONCoder.encode(error.details, into: &out)
        }
        if let place = error.place {
            out.append(#","position":"#)
            out.append(decimal: place.position)
            out.append(#","length":"#)
            out.append(decimal: place.length)
        }
        out.append(UInt8(ascii: "}"))
    }

    private static func append(_ redirect: Gateway?, into out: inout ByteWriter) {
        guard let redirect else { return }
        out.append(#","redirect":"#)
        JSONCoder.encode(redirect, into: &out)
    }

    /// A target has passed the request parser, so it is visible ASCII; only `"` and `\` need care.
    private static func appendTarget(_ target: ArraySlice<UInt8>, into out: inout ByteWriter) {
        out.append(UInt8(ascii: "\""))
        let special = target.contains { byte in
            byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 32 || byte > 126
        }
        if special {
            for byte in target {
                if byte < 32 || byte > 126 {
                    out.append("%")
                    out.append(Hex.encode(CollectionOfOne(byte)))
                } else {
                    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { out.append("\\") }
                    out.append(byte)
                }
            }
        } else {
            out.append(target)
        }
        out.append(UInt8(ascii: "\""))
    }
}
