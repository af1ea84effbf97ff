/*
 * engines.cc
 *		Pages of JSON through libraries: MB/s of one core.
 *
 *		engines --passes N DIR [PAGES]		a line an engine: name, seconds, bytes, records, check
 *		engines --once DIR					parse each page once with the fastest one
 *
 * An engine that picks columns makes of the 12 what the library gives at the least cost (a
 * number, a piece of text), and counts them, so that engines can be held against each other.
 * The time is that of parsing alone: a fresh copy of the page is made outside of it.
 */
#include <jansson.h>
#include <simdjson.h>
#include <yyjson.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace simdjson;

/* What was seen of the columns: the same for all engines that pick. */
struct Check
{
	size_t		records = 0;
	size_t		sum = 0;

	void text(size_t len) { sum += len; }
	void number(double n) { sum += (size_t) (n * 16); }
};

typedef void (*Engine) (char *page, size_t len, Check *check);

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void
run_dom(char *page, size_t len, Check *check)
{
	static dom::parser parser;
	dom::element root;

	if (parser.parse(page, len, false).get(root) != SUCCESS)
		die("simdjson cannot parse a page");
	check->records += root["data"].get_array().value().size();
}

static void
pick_ondemand(ondemand::object item, Check *check)
{
	check->number((double) item["id"].get_int64().value());
	check->text(item["key"].get_string().value().size());
	check->text(item["name"].get_string().value().size());
	check->text(item["status"].get_string().value().size());
	check->number(item["amount"].get_double().value());
	check->number(item["score"].get_double().value());
	check->number(item["active"].get_bool().value());
	check->text(item["created_at"].get_string().value().size());

	ondemand::value due = item["due_on"];
	if (!due.is_null())
		check->text(due.get_string().value().size());

	ondemand::object owner = item["owner"];
	check->text(owner["mail"].get_string().value().size());
	check->text(owner["address"]["city"].get_string().value().size());
	for (auto tag : item["tags"].get_array())
		check->text(tag.get_string().value().size());
	check->records++;
}

static void
run_ondemand12(char *page, size_t len, Check *check)
{
	static ondemand::parser parser;
	ondemand::document document = parser.iterate(page, len, len + SIMDJSON_PADDING);

	for (auto item : document["data"].get_array())
		pick_ondemand(item.get_object(), check);
}

/* memory for values, given back at once, as a page's memory is */
static yyjson_doc *
read_yyjson(char *page, size_t len)
{
	static size_t size = 0;
	static char *memory = nullptr;
	yyjson_alc	allocator;
	size_t		need = yyjson_read_max_memory_usage(len, YYJSON_READ_INSITU);

	if (need > size)
	{
		memory = (char *) realloc(memory, need);
		size = need;
	}
	yyjson_alc_pool_init(&allocator, memory, size);

	yyjson_doc *doc = yyjson_read_opts(page, len, YYJSON_READ_INSITU, &allocator, nullptr);
	if (doc == nullptr)
		die("yyjson cannot parse a page");
	return doc;
}

static void
run_yyjson(char *page, size_t len, Check *check)
{
	check->records += yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(read_yyjson(page, len)), "data"));
}

static void
pick_yyjson(yyjson_val *item, Check *check)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(item);
	yyjson_val *value;

	check->number((double) yyjson_get_sint(yyjson_obj_iter_get(&iter, "id")));
	check->text(yyjson_get_len(yyjson_obj_iter_get(&iter, "key")));
	check->text(yyjson_get_len(yyjson_obj_iter_get(&iter, "name")));
	check->text(yyjson_get_len(yyjson_obj_iter_get(&iter, "status")));
	check->number(yyjson_get_num(yyjson_obj_iter_get(&iter, "amount")));
	check->number(yyjson_get_num(yyjson_obj_iter_get(&iter, "score")));
	check->number(yyjson_get_bool(yyjson_obj_iter_get(&iter, "active")));
	check->text(yyjson_get_len(yyjson_obj_iter_get(&iter, "created_at")));
	value = yyjson_obj_iter_get(&iter, "due_on");
	if (yyjson_is_str(value))
		check->text(yyjson_get_len(value));

	yyjson_val *owner = yyjson_obj_iter_get(&iter, "owner");
	check->text(yyjson_get_len(yyjson_obj_get(owner, "mail")));
	check->text(yyjson_get_len(yyjson_obj_get(yyjson_obj_get(owner, "address"), "city")));

	yyjson_arr_iter tags = yyjson_arr_iter_with(yyjson_obj_iter_get(&iter, "tags"));
	while ((value = yyjson_arr_iter_next(&tags)) != nullptr)
		check->text(yyjson_get_len(value));
	check->records++;
}

static void
run_yyjson12(char *page, size_t len, Check *check)
{
	yyjson_arr_iter items = yyjson_arr_iter_with(yyjson_obj_get(yyjson_doc_get_root(read_yyjson(page, len)), "data"));
	yyjson_val *item;

	while ((item = yyjson_arr_iter_next(&items)) != nullptr)
		pick_yyjson(item, check);
}

static void
run_jansson(char *page, size_t len, Check *check)
{
	json_t	   *root = json_loadb(page, len, 0, nullptr);

	if (root == nullptr)
		die("jansson cannot parse a page");
	check->records += json_array_size(json_object_get(root, "data"));
	json_decref(root);
}

static const struct
{
	const char *name;
	Engine		run;
	bool		picks;
}			engines[] = {
	{"yyjson, in place", run_yyjson, false},
	{"yyjson, in place, 12 columns", run_yyjson12, true},
	{"simdjson DOM", run_dom, false},
	{"simdjson On-Demand, 12 columns", run_ondemand12, true},
	{"jansson", run_jansson, false},
};

static bool
read_page(const std::string &directory, int number, std::string *page)
{
	std::ifstream file(directory + "/" + std::to_string(number) + ".json", std::ios::binary);
	std::ostringstream text;

	if (!file)
		return false;
	text << file.rdbuf();
	*page = text.str();
	return true;
}

static double
cpu_seconds()
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double
run_pass(Engine run, const std::vector<std::string> &pages, std::vector<char> &copy, Check *check)
{
	double		seconds = 0;

	for (const std::string &page : pages)
	{
		memcpy(copy.data(), page.data(), page.size());
		memset(copy.data() + page.size(), 0, SIMDJSON_PADDING);

		double		start = cpu_seconds();
		run(copy.data(), page.size(), check);
		seconds += cpu_seconds() - start;
	}
	return seconds;
}

static void
compare(const std::string &directory, int passes, int limit)
{
	std::vector<std::string> pages;
	std::string page;
	size_t		bytes = 0;
	size_t		longest = 0;
	size_t		sum = 0;

	while ((int) pages.size() < limit && read_page(directory, (int) pages.size() + 1, &page))
	{
		bytes += page.size();
		longest = std::max(longest, page.size());
		pages.push_back(page);
	}
	std::vector<char> copy(longest + SIMDJSON_PADDING);
	for (auto &engine : engines)
	{
		std::vector<double> seconds;
		Check		check;

		for (int i = 0; i < passes; i++)
		{
			check = Check();
			seconds.push_back(run_pass(engine.run, pages, copy, &check));
		}
		if (engine.picks && sum != 0 && sum != check.sum)
			die("engines see different values");
		sum = engine.picks ? check.sum : sum;
		std::sort(seconds.begin(), seconds.end());
		printf("%s\t%.6f\t%zu\t%zu\n", engine.name, seconds[passes / 2], bytes, check.records);
	}
}

static void
parse_once(const std::string &directory)
{
	std::string page;
	Check		check;

	for (int number = 1; read_page(directory, number, &page); number++)
	{
		size_t		len = page.size();

		page.resize(len + SIMDJSON_PADDING);
		run_yyjson(&page[0], len, &check);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--once") == 0)
		parse_once(argv[2]);
	else if (argc >= 4 && strcmp(argv[1], "--passes") == 0)
		compare(argv[3], atoi(argv[2]), argc > 4 ? atoi(argv[4]) : 100);
	else
		die("usage: engines --passes N DIR [PAGES] | --once DIR");
	return 0;
}
