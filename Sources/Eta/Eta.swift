/// Starts Eta.
@main
public enum Eta {
    /// Runs until told to stop.
    public static func main() {}
}
