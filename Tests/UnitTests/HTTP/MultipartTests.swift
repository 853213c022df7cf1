import Base
import HTTP
import Testing

/// Uploads as forms: the part `file` is found wherever the body is cut, and nothing else is kept.
struct MultipartTests {
    private static let file = "line\r\n--bound\r\n--boundarx\r\n\r--\r\n"
    private static let form =
        "preamble\r\n--boundary\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nvalue\r\n"
        + "--boundary  \r\ncontent-disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".bin\""
        + "\r\nContent-Type: image/png\r\n\r\n\(file)\r\n--boundary\r\n"
        + "Content-Disposition: form-data; name=last\r\n\r\n\r\n--boundary--\r\nepilogue"

    private func reader(_ type: String = "multipart/form-data; boundary=boundary")
        -> MultipartParser?
    {
        MediaType(Array(type.utf8)[...]).flatMap { MultipartParser($0) }
    }

    private func run(_ pieces: [[UInt8]]) throws -> (
        file: String?, last: MultipartEffect?, most: Int
    ) {
        var parser = try #require(reader())
        var file: [UInt8]?
        var last: MultipartEffect?
        var most = 0
        for piece in pieces {
            parser.receive(piece)
            while let effect = parser.next() {
                last = effect
                switch effect {
                case .fileBegan(let name, let type):
                    #expect(file == nil)
                    #expect(name == "a \"b\".bin" || name == nil)
                    #expect(type == "image/png" || type == nil)
                    file = []
                case .bytes(let bytes): file?.append(contentsOf: bytes)
                case .finished, .malformed: break
                }
            }
            most = max(most, parser.heldBytes)
        }
        return (file.map { String(decoding: $0, as: UTF8.self) }, last, most)
    }

    @Test func `the file is found at every cut`() throws {
        let bytes = Array(Self.form.utf8)
        for cut in 0...bytes.count {
            let result = try run([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(
                result.file == Self.file && result.last == .finished(hadFile: true), "at \(cut)")
        }
        let result = try run(bytes.map { [$0] })
        #expect(result.file == Self.file && result.last == .finished(hadFile: true))
    }

    @Test func `an empty file is a file, and a form without one says so`() throws {
        let part = "--boundary\r\nContent-Disposition: form-data; name=file\r\n\r\n"
        #expect(try run([Array("\(part)\r\n--boundary--".utf8)]).file == "")
        #expect(try run([Array("--boundary--".utf8)]).last == .finished(hadFile: false))
    }

    @Test(arguments: [
        "--boundary\r\nno colon\r\n\r\n", "--boundaryX\r\n\r\n\r\n--boundary!",
        "--boundary\r\nContent-Disposition: attachment; name=file\r\n\r\n",
        "--boundary\r\nA: b\nC: d\r\n\r\n", "--boundary\r\n" + String(repeating: "a", count: 9_000),
        String(repeating: "a", count: 9_000),
        String(repeating: "--boundary\r\n\r\n\r\n", count: 70),
        String(
            repeating: "--boundary\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n",
            count: 2),
    ])
    func `what is no form is refused`(form: String) throws {
        #expect(try run([Array(form.utf8)]).last == .malformed)
    }

    @Test func `only a form with a boundary has a parser`() {
        for type in [
            "multipart/mixed; boundary=a", "multipart/form-data",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"a \"", "application/json",
            "multipart/form-data; boundary=" + String(repeating: "a", count: 71),
        ] {
            #expect(reader(type) == nil, "\(type)")
        }
        #expect(reader("Multipart/Form-Data; boundary=\"a b\"") != nil)
    }

    @Test func `a file of any size holds no more than a delimiter`() throws {
        // The worst for a naive search: nothing but beginnings of the delimiter.
        let head = "--boundary\r\nContent-Disposition: form-data; name=file\r\n\r\n"
        let chunk = Array(String(repeating: "\r\n--boundar", count: 1_000).utf8)
        let result = try run([Array(head.utf8)] + Array(repeating: chunk, count: 50))
        #expect(result.file?.utf8.count ?? 0 > 549_900)
        #expect(result.most < 100)
    }

    @Test func `several ranges make one body`() {
        let pieces = MultipartRanges.pieces(
            [0..<2, 5..<9], size: 10, contentType: "a/b", boundary: "xyz")
        let text = pieces.map { piece in
            switch piece {
            case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
            case .range(let range): "[\(range.lowerBound),\(range.upperBound))"
            }
        }.joined().replacing("\r\n", with: "|")
        #expect(
            text
                == "--xyz|Content-Type: a/b|Content-Range: bytes 0-1/10||[0,2)"
                + "|--xyz|Content-Type: a/b|Content-Range: bytes 5-8/10||[5,9)|--xyz--|")
    }

    @Test func `noise neither crashes nor grows it`() throws {
        let random = SeededRandom(seed: 11)
        let pieces = [
            "--boundary", "\r\n", "--", "\r", "\n", "Content-Disposition: form-data; name=\"file\"",
            "Content-Disposition: form-data; name=x", "\r\n\r\n", "data", ":", "\"", "\u{0}", ";",
        ]
        for _ in 0..<3_000 {
            let count = random.next(below: 40)
            let result = try run(
                (0..<count).map { _ in
                    Array(pieces[random.next(below: pieces.count)].utf8)
                })
            #expect(result.most <= MultipartParser.longestHead + 100)
        }
    }
}
