import Base
import Domain
import Support
import Testing

// The contract's error table is the one place where numbers are made: the enum equals it row by
// row, and what stands beside a code goes where it belongs.
struct ErrorCodeTests {
    @Test func `the enum is the contract's table, row by row`() throws {
        let table = try ContractTable("errors")
        let expected = table.rows.map { "\($0["code", default: ""]) \($0["name", default: ""])" }
        #expect(ErrorCode.allCases.map { "\($0.rawValue) \($0.name)" } == expected)
        for row in table.rows {
            let number = try #require(UInt16(row["code", default: ""]))
            let code = try #require(ErrorCode(rawValue: number))
            #expect("\(code.status)" == row["status"], "\(code.name)")
        }
    }

    @Test func `every message is a sentence for people`() {
        for code in ErrorCode.allCases {
            #expect(code.message.hasSuffix("."), "\(code.name)")
            #expect(!code.message.contains("!"), "\(code.name)")
            #expect(code.message.first?.isUppercase == true, "\(code.name)")
        }
    }

    @Test func `only what may pass by itself is worth another try`() {
        let retryable = ErrorCode.allCases.filter(\.isRetryable)
        #expect(
            retryable == [
                .noResponseFromServer, .retryWithNewGateway, .tooManyRequests,
                .serviceUnavailable, .noInstanceServer, .insufficientStorage, .overloaded,
            ])
    }

    @Test func `some errors have a more exact status`() {
        #expect(APIError(.requestNotFound).status == 404)
        #expect(APIError.methodNotAllowed(["GET"]).status == 405)
        #expect(APIError.methodNotAllowed(["GET"]).code == .requestNotFound)
        #expect(APIError(.malformedRequest).status == 400)
    }

    @Test func `bad fields become the details`() {
        let problem = FieldProblem(field: "title", message: "is required")
        let error = APIError(.worldInvalidInput, InvalidFields(problems: [problem]))
        #expect(error.details == [problem])
        #expect(error.status == 400)
        #expect(APIError(.userInvalidInput, field: "email", "is taken").details.count == 1)
    }

    @Test func `what stands beside the code is kept`() throws {
        let address = try #require(ServerAddress("b.example"))
        let gateway = Gateway(secure: true, address: address)
        #expect(APIError.retry(at: gateway).redirect == gateway)
        #expect(APIError.tooManyRequests(retryAfter: .seconds(3)).retryAfter == .seconds(3))
        #expect(APIError.rangeNotSatisfiable(fileSize: 7).fileSize == 7)
        let place = QueuePlace(position: 2, length: 5)
        #expect(APIError.instanceIsFull(place).place == place)
        #expect(APIError.internalError("disk").context == "disk")
    }
}
