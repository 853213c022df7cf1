import Base
import Domain

/// The answer to a GET or HEAD of a file that is named by its own hash, RFC 9110 §13 and §14: the
/// conditions first, then the ranges.
public enum FileResponse {
    /// The answer, from `file`, whose strong tag is `eTag`; `fields` are the representation's own,
    /// such as its type. `boundary` makes a text that the file cannot hold, for several ranges.
    ///
    /// - Throws: 53 when If-Match names another file, 69 when no byte of the ranges exists.
    public static func make(
        for head: RequestHead, of file: any OpenFile, eTag: ETag, contentType: String,
        fields: Fields, boundary: () -> String
    ) throws(APIError) -> Response {
        var fields = complete(fields, eTag)
        switch Conditional.verdict(for: head, eTag: eTag) {
        case .failed: throw APIError(.preconditionFailed)
        case .notModified: return Response(status: .notModified, fields: fields)
        case .proceed: break
        }
        let size = file.size
        switch ByteRange.asked(by: head, size: size, eTag: eTag) {
        case .notSatisfiable: throw .rangeNotSatisfiable(fileSize: size)
        case .whole:
            return whole(file, eTag: eTag, contentType: contentType, fields: fields)
        case .parts(let parts):
            let pieces: [FileSlice.Piece]
            if parts.count == 1 {
                fields.set(.contentType, contentType)
                fields.set(.contentRange, ContentRange(range: parts[0], size: size).text)
                pieces = [.range(parts[0])]
            } else {
                let boundary = boundary()
                fields.set(.contentType, MultipartRanges.contentType(boundary: boundary))
                pieces = MultipartRanges.pieces(
                    parts, size: size, contentType: contentType, boundary: boundary)
            }
            return Response(
                status: .partialContent, fields: fields,
                body: .file(FileSlice(file: file, pieces: pieces)))
        }
    }

    /// Whether a request asks for the whole without any condition.
    public static func isPlain(_ head: RequestHead) -> Bool {
        head.field(.range) == nil && head.field(.ifMatch) == nil && head.field(.ifNoneMatch) == nil
    }

    /// The answer to a plain request.
    public static func whole(
        _ file: any OpenFile, eTag: ETag, contentType: String, fields: Fields
    ) -> Response {
        var fields = complete(fields, eTag)
        fields.set(.contentType, contentType)
        let size = file.size
        return Response(
            status: .ok, fields: fields,
            body: .file(FileSlice(file: file, pieces: size > 0 ? [.range(0..<size)] : [])))
    }

    private static func complete(_ fields: Fields, _ eTag: ETag) -> Fields {
        var fields = fields
        fields.set(.eTag, eTag.text)
        fields.set(.acceptRanges, "bytes")
        return fields
    }
}
