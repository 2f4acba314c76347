import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.lark.oapi.core.request.EventReq;
import com.lark.oapi.core.response.EventResp;
import com.lark.oapi.core.utils.Jsons;
import com.lark.oapi.event.CustomEventHandler;
import com.lark.oapi.event.EventDispatcher;
import com.lark.oapi.event.model.BaseEventV2;
import com.lark.oapi.service.corehr.CorehrService;
import com.lark.oapi.service.corehr.v2.model.P2ApprovalGroupsUpdatedV2;
import com.lark.oapi.service.corehr.v2.model.P2DepartmentUpdatedV2;
import com.lark.oapi.service.corehr.v2.model.P2EmployeeDomainEventV2;
import com.lark.oapi.service.corehr.v2.model.P2JobChangeStatusUpdatedV2;
import com.lark.oapi.service.corehr.v2.model.P2ProcessApproverUpdatedV2;
import com.lark.oapi.ws.Client;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Executors;

/**
 * A bot in Java: takes five kinds of events, and one of the old days, and writes each down as a line of JSON.
 *
 * <pre>
 * java Bot webhook            Feishu, or a router, pushes to http://127.0.0.1:$PORT/webhook/event
 * java Bot long-connection    it connects by itself
 * </pre>
 */
public final class Bot {
    private static final EventDispatcher EVENTS =
            EventDispatcher.newBuilder(setting("VERIFICATION_TOKEN", ""), setting("ENCRYPT_KEY", ""))
                    .onP2JobChangeStatusUpdatedV2(new CorehrService.P2JobChangeStatusUpdatedV2Handler() {
                        @Override
                        public void handle(P2JobChangeStatusUpdatedV2 event) throws Exception {
                            note(event, event.getEvent());
                        }
                    })
                    .onP2EmployeeDomainEventV2(new CorehrService.P2EmployeeDomainEventV2Handler() {
                        @Override
                        public void handle(P2EmployeeDomainEventV2 event) throws Exception {
                            note(event, event.getEvent());
                        }
                    })
                    .onP2ProcessApproverUpdatedV2(new CorehrService.P2ProcessApproverUpdatedV2Handler() {
                        @Override
                        public void handle(P2ProcessApproverUpdatedV2 event) throws Exception {
                            note(event, event.getEvent());
                        }
                    })
                    .onP2DepartmentUpdatedV2(new CorehrService.P2DepartmentUpdatedV2Handler() {
                        @Override
                        public void handle(P2DepartmentUpdatedV2 event) throws Exception {
                            note(event, event.getEvent());
                        }
                    })
                    .onP2ApprovalGroupsUpdatedV2(new CorehrService.P2ApprovalGroupsUpdatedV2Handler() {
                        @Override
                        public void handle(P2ApprovalGroupsUpdatedV2 event) throws Exception {
                            note(event, event.getEvent());
                        }
                    })
                    .onCustomizedEvent("approval_instance", new CustomEventHandler() {
                        @Override
                        public void handle(EventReq request) throws Exception {
                            JsonObject line = new JsonObject();
                            line.add("document", document(request));
                            write(line);
                        }
                    })
                    .build();

    public static void main(String[] arguments) throws Exception {
        switch (arguments.length == 1 ? arguments[0] : "") {
            case "webhook" -> serve();
            case "long-connection" -> new Client.Builder(setting("APP_ID", ""), setting("APP_SECRET", ""))
                    .eventHandler(EVENTS)
                    .domain(setting("DOMAIN", "https://open.feishu.cn")) // the one line that changes
                    .build()
                    .start();
            default -> {
                System.err.println("say webhook or long-connection");
                System.exit(1);
            }
        }
    }

    private static void serve() throws IOException {
        int port = Integer.parseInt(setting("PORT", "3000"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/webhook/event", Bot::answer);
        server.start();
    }

    private static void answer(HttpExchange exchange) throws IOException {
        Map<String, List<String>> headers = new HashMap<>();
        exchange.getRequestHeaders()
                .forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT), values)); // the SDK looks for these
        EventReq request = new EventReq();
        request.setHttpPath(exchange.getRequestURI().getPath());
        request.setHeaders(headers);
        request.setBody(exchange.getRequestBody().readAllBytes());
        try (exchange) {
            EventResp answer = EVENTS.handle(request);
            answer.getHeaders().forEach((name, values) -> exchange.getResponseHeaders().put(name, values));
            exchange.sendResponseHeaders(answer.getStatusCode(), answer.getBody().length);
            exchange.getResponseBody().write(answer.getBody());
        } catch (Throwable error) {
            throw new IOException(error);
        }
    }

    /** What the SDK's models give of an event, and the whole document, unknown fields and all. */
    private static void note(BaseEventV2 event, Object data) throws IOException {
        JsonObject line = new JsonObject();
        line.add("header", Jsons.DEFAULT.toJsonTree(event.getHeader()));
        line.add("event", Jsons.DEFAULT.toJsonTree(data));
        line.add("document", document(event.getEventReq()));
        write(line);
    }

    /** From a webhook the body is still encrypted; over a long connection there is nothing but the body. */
    private static JsonElement document(EventReq request) {
        String plain = request.getPlain();
        return JsonParser.parseString(plain != null ? plain : new String(request.getBody(), StandardCharsets.UTF_8));
    }

    /** An error is a "no": the event comes again. */
    private static synchronized void write(JsonObject line) throws IOException {
        Path path = Path.of(setting("EVENTS", "/dev/stdout"));
        Files.writeString(path, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }
}
