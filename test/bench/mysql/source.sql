-- The tables at MariaDB, given the file of the rows and how many of them are few.
CREATE DATABASE bench CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
USE bench;
CREATE USER bench@'%' IDENTIFIED BY 'bench';
GRANT ALL ON bench.* TO bench@'%';

CREATE TABLE lineitem (
	id int NOT NULL PRIMARY KEY,
	part int NOT NULL,
	supplier int NOT NULL,
	line_number int NOT NULL,
	quantity decimal(15,2) NOT NULL,
	extended_price decimal(15,2) NOT NULL,
	discount decimal(15,2) NOT NULL,
	tax decimal(15,2) NOT NULL,
	return_flag char(1) NOT NULL,
	line_status char(1) NOT NULL,
	ship_date date NOT NULL,
	commit_date date,
	receipt_date date NOT NULL,
	ship_instruct varchar(25) NOT NULL,
	ship_mode varchar(10) NOT NULL,
	comment varchar(44)
);
CREATE TABLE few LIKE lineitem;
CREATE TABLE written LIKE lineitem;
