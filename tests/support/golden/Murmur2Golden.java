import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/**
 * Prints keys and the partitions that Kafka's own producer puts them into: what murmur2.txt holds.
 *
 * <p>A line is a key in URL-safe base64 and its partition in topics of as many partitions as the first line says.
 */
public final class Murmur2Golden {
    private static final int KEYS = 10_000;
    private static final int[] COUNTS = {1, 3, 12, 64, 1_000};

    /** From where on characters are drawn: ASCII, Latin, Cyrillic, Chinese, emoji. */
    private static final int[] ALPHABETS = {0x20, 0xC0, 0x410, 0x4E00, 0x1F600};

    public static void main(String[] args) {
        Random random = new Random(20_260_101);
        Set<String> lines = new LinkedHashSet<>();
        while (lines.size() < KEYS) lines.add(line(keyOf(lines.size(), random)));
        String counts = Arrays.stream(COUNTS).mapToObj(String::valueOf).collect(Collectors.joining(" "));
        System.out.println("key " + counts + "\n" + String.join("\n", lines));
    }

    private static String line(byte[] key) {
        String partitions = Arrays.stream(COUNTS)
                .mapToObj(count -> String.valueOf(BuiltInPartitioner.partitionForKey(key, count)))
                .collect(Collectors.joining(" "));
        return Base64.getUrlEncoder().withoutPadding().encodeToString(key) + " " + partitions;
    }

    /** Every length from 0 to 127 once, then short keys: bytes of any value, text of any alphabet, and what programs write. */
    private static byte[] keyOf(int i, Random random) {
        if (i < 128) return bytes(i, random);
        switch (i % 4) {
            case 0:
                return bytes(2 + random.nextInt(10), random);
            case 1:
                return text(random).getBytes(StandardCharsets.UTF_8);
            case 2:
                return ("order-" + random.nextInt(1_000_000)).getBytes(StandardCharsets.UTF_8);
            default:
                return String.valueOf(random.nextInt()).getBytes(StandardCharsets.UTF_8);
        }
    }

    private static byte[] bytes(int length, Random random) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static String text(Random random) {
        int alphabet = ALPHABETS[random.nextInt(ALPHABETS.length)];
        int length = 1 + random.nextInt(5);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) text.appendCodePoint(alphabet + random.nextInt(64));
        return text.toString();
    }
}
