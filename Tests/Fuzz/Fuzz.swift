import Glibc
import Support

// libFuzzer's half of the fuzz targets; `./cluster/test fuzz` builds and runs it. Each process
// tries one target, named by the environment, since libFuzzer keeps the command line for itself.

private let target: FuzzTarget = {
    let name = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) } ?? "canary"
    guard let found = (FuzzTarget.all + [FuzzTarget.canary]).first(where: { $0.name == name })
    else { preconditionFailure("no fuzz target \(name)") }
    return found
}()

/// Writes the target's samples into the folder of the corpus, which libFuzzer reads after this.
/// Asked for `list`, it tells the names instead.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>,
    _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
    if unsafe getenv("FUZZ_TARGET").map({ unsafe String(cString: $0) }) == "list" {
        let names = FuzzTarget.all.map { $0.name + "\n" }.joined()
        _ = unsafe write(STDOUT_FILENO, names, names.utf8.count)
        exit(0)
    }
    guard let folder = unsafe getenv("FUZZ_SAMPLES").map({ unsafe String(cString: $0) }) else {
        return 0
    }
    for (index, sample) in target.samples.enumerated() {
        guard let file = unsafe fopen("\(folder)/sample-\(index)", "w") else { continue }
        let bytes = Array(sample.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, file) }
        unsafe fclose(file)
    }
    return 0
}

/// Tries one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.run(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
